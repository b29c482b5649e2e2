"""A local delete leaves a tombstone, and who inserts the row again begins its next life above that."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from replication.apply.merging import Merger
from replication.apply.tables import Tables
from replication.core.stamps import LIFE, newest
from replication.postgres.connect import Connection, connect
from replication.postgres.parameters import register
from replication.postgres.tombstones import at_work, ghosts, horizon, settle
from tests.postgres.servers import Pair, as_applied
from tests.postgres.stamped import is_fresh, number_under, simple, stamps_of, tombstones


def test_a_delete_leaves_a_tombstone_with_the_last_image(pair: Pair) -> None:
    simple(pair)
    pair.run(pair.alpha, "UPDATE t SET a = NULL")
    last = stamps_of(pair, pair.alpha, "id = 1")
    pair.run(pair.alpha, "DELETE FROM t")
    [(key, life, deleted, saw, stamps, cells, referential)] = tombstones(pair)
    assert (key, life, referential) == (["1"], 1, False)
    assert saw == stamps == last
    assert cells == {"a": None, "b": "b"}
    assert int(str(deleted)) > newest(last)


def test_a_row_that_is_inserted_again_begins_its_next_life_above_its_tombstone(pair: Pair) -> None:
    simple(pair)
    for life in (2, 3):
        pair.run(pair.alpha, "DELETE FROM t")
        [(_, _, deleted, *_)] = tombstones(pair)
        pair.run(pair.alpha, "INSERT INTO t VALUES (1, 'again', NULL)")
        packed = stamps_of(pair, pair.alpha, "id = 1")
        assert number_under(packed, LIFE) == life
        assert packed[0] > int(str(deleted))
        assert packed[1] >= int(str(deleted)), "the insert saw the delete"
        assert is_fresh(packed)
        [(_, buried, *_)] = tombstones(pair)
        assert int(str(buried)) < life, "the row's own life says that its tombstone is over"


def test_a_delete_and_an_insert_in_one_transaction_keep_their_order(pair: Pair) -> None:
    simple(pair)
    with pair.alpha.transaction():
        pair.run(pair.alpha, "DELETE FROM t")
        pair.run(pair.alpha, "INSERT INTO t VALUES (1, 'x', 'y')")
        pair.run(pair.alpha, "UPDATE t SET a = 'z'")
        pair.run(pair.alpha, "DELETE FROM t")
    [(_, life, deleted, saw, *_)] = tombstones(pair)
    assert life == 2
    assert int(str(deleted)) > newest(saw)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("deleted_later_by", "life", "stays"),
    [(timedelta(0), 1, True), (timedelta(hours=1), 1, False), (timedelta(0), 5, False)],
)
def test_an_insert_that_waited_for_the_delete_of_its_key_is_settled_by_the_rule(
    pair: Pair, deleted_later_by: timedelta, life: int, stays: bool
) -> None:
    """Pitfall P3: its trigger looked for the tombstone too early, and the row lives below it, here alone."""
    simple(pair)
    [base, *_] = stamps_of(pair, pair.alpha, "id = 1")
    site = next(iter(pair.config.sites.values()))
    deleted = base + (deleted_later_by // timedelta(microseconds=1) + 1) * 1024
    with connect(site.dsn(), name="user") as user, ThreadPoolExecutor(1) as pool:
        with as_applied(pair.alpha), pair.alpha.transaction():
            pair.run(pair.alpha, "DELETE FROM t")
            pair.alpha.execute(
                "INSERT INTO kuroshio.tombstone (nspname, relname, key, life, deleted, saw, stamps, cells)"
                " VALUES (%s, 't', '{1}', %s, %s, %s, %s, '{}')",
                (pair.schema, life, deleted, [base, 0], [base, 0]),
            )
            waiting = pool.submit(user.execute, f"INSERT INTO {pair.schema}.t VALUES (1, 'again', '')".encode())
            _await_lock(pair.alpha, user.info.backend_pid)
        seen = horizon(pair.alpha)
        waiting.result(10)
    register(pair.alpha)
    tables = Tables(pair.alpha, pair.config.rules)
    table = tables.get((pair.schema, "t"))
    assert table is not None
    assert seen is not None
    assert not seen.at_work & at_work(pair.alpha), "the insert has ended, so has all that was at work"
    assert ghosts(pair.alpha, table, seen) == [(b"1",)]
    with as_applied(pair.alpha):
        Merger(pair.alpha, 1, list(pair.config.sites), tables, lambda *_: None).settle(table, [(b"1",)])
        settle(pair.alpha, seen)
    assert bool(pair.run(pair.alpha, "SELECT 1 FROM t WHERE id = 1")) is stays


def _await_lock(session: Connection, pid: int) -> None:
    end = time.monotonic() + 10
    query = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s"
    while session.execute(query, (pid,)).fetchone() != (True,):
        assert time.monotonic() < end, "waited 10 s in vain until the insert waits"


def test_an_insert_that_comes_to_nothing_keeps_the_tombstone(pair: Pair) -> None:
    """Pitfall P6: INSERT ... ON CONFLICT DO NOTHING runs BEFORE INSERT triggers for rows that it does not insert."""
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, mail text UNIQUE)")
    pair.enlist("t")
    pair.run(pair.alpha, "INSERT INTO t VALUES (1, 'one'), (2, 'two')")
    pair.run(pair.alpha, "DELETE FROM t WHERE id = 2")
    pair.run(pair.alpha, "INSERT INTO t VALUES (2, 'one') ON CONFLICT DO NOTHING")
    assert [row[0] for row in tombstones(pair)] == [["2"]]


@pytest.mark.parametrize("setting", ["TimeZone = 'Asia/Taipei'", "DateStyle = 'German'", "IntervalStyle = iso_8601"])
def test_a_tombstones_key_and_image_do_not_depend_on_the_session(pair: Pair, setting: str) -> None:
    pair.everywhere("CREATE TABLE t (at timestamptz PRIMARY KEY, length interval, x float8, raw bytea)")
    pair.enlist("t")
    pair.run(pair.alpha, "SET bytea_output = escape")
    pair.run(pair.alpha, f"SET {setting}")
    pair.run(pair.alpha, "INSERT INTO t VALUES ('2020-01-31 12:00+00', '1 day 2 hours', 0.1::float8 + 0.2, '\\x00ff')")
    pair.run(pair.alpha, "DELETE FROM t")
    [(key, *_, cells, _)] = tombstones(pair)
    assert key == ["2020-01-31 12:00:00+00"]
    assert cells == {"length": "1 day 02:00:00", "x": "0.30000000000000004", "raw": "\\x00ff"}


def test_a_childs_delete_inside_a_referential_action_says_so(pair: Pair) -> None:
    """Pitfall P7."""
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY)")
    pair.everywhere("CREATE TABLE child (id int PRIMARY KEY, t int REFERENCES t ON DELETE CASCADE)")
    pair.enlist("t")
    pair.enlist("child")
    pair.run(pair.alpha, "INSERT INTO t VALUES (1)")
    pair.run(pair.alpha, "INSERT INTO child VALUES (1, 1), (2, 1)")
    pair.run(pair.alpha, "DELETE FROM child WHERE id = 1")
    pair.run(pair.alpha, "DELETE FROM t")
    assert {(row[0][0], row[-1]) for row in tombstones(pair, "child")} == {("1", False), ("2", True)}  # type: ignore[index]

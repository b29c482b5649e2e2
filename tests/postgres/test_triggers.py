"""Local writes are stamped as replication/core/stamps.py says, whatever the column and the statement."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest

from replication.apply.merging import Merger
from replication.apply.tables import Tables
from replication.core.stamps import EPOCH, LIFE, MOMENT, TERM, Stamps, cell_id, cell_key, moment, newest
from replication.postgres.connect import Connection, connect
from replication.postgres.parameters import register
from replication.postgres.tombstones import at_work, ghosts, horizon, settle
from tests.postgres.servers import Pair, as_applied

A, B = 1, 2


def stamps_of(pair: Pair, session: Connection, condition: str, table: str = "t") -> list[int]:
    rows = pair.run(session, f"SELECT kuroshio FROM {table} WHERE {condition}")
    assert len(rows) == 1
    packed = [int(str(number)) for number in rows[0][0]]  # type: ignore[attr-defined]
    unpacked = Stamps.unpack(packed)
    assert unpacked.pack() == packed, "the stamps are not in their canonical form"
    return packed


def number_under(packed: Sequence[int], key: int) -> int:
    return dict(zip(packed[2::2], packed[3::2], strict=True)).get(key, 0)


def is_fresh(packed: Sequence[int]) -> bool:
    return newest(packed) > packed[1]


def simple(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, a text, b text)")
    pair.enlist("t")
    pair.run(pair.alpha, "INSERT INTO t VALUES (1, 'a', 'b')")


def test_an_insert_carries_one_stamp(pair: Pair) -> None:
    simple(pair)
    packed = stamps_of(pair, pair.alpha, "id = 1")
    assert len(packed) == 2
    assert packed[1] == 0
    assert packed[0] & 1023 == A


def test_an_update_stamps_the_columns_that_differ_and_no_other(pair: Pair) -> None:
    simple(pair)
    before = stamps_of(pair, pair.alpha, "id = 1")
    pair.run(pair.alpha, "UPDATE t SET a = 'new', b = b")
    after = stamps_of(pair, pair.alpha, "id = 1")
    assert after[1] == before[0], "the write saw the insert"
    assert after[2:3] == [cell_key("a")]
    assert after[3] > before[0]
    assert len(after) == 4


def test_a_column_set_to_its_own_value_is_no_edit(pair: Pair) -> None:
    simple(pair)
    pair.run(pair.alpha, "UPDATE t SET a = a, b = 'b'")
    packed = stamps_of(pair, pair.alpha, "id = 1")
    assert len(packed) == 2
    assert not is_fresh(packed)


def test_an_edit_beats_what_its_author_saw_whatever_the_clock_says(pair: Pair) -> None:
    simple(pair)
    future = moment(8 * 10**15, B)
    with as_applied(pair.alpha):
        pair.run(pair.alpha, "UPDATE t SET kuroshio = %s", ([1, 0, cell_key("b"), future],))
    pair.run(pair.alpha, "UPDATE t SET a = 'later'")
    packed = stamps_of(pair, pair.alpha, "id = 1")
    assert number_under(packed, cell_key("a")) == moment(8 * 10**15 + 1, A)
    assert packed[1] == future


def test_what_is_applied_is_not_stamped(pair: Pair) -> None:
    simple(pair)
    with as_applied(pair.alpha):
        pair.run(pair.alpha, "INSERT INTO t VALUES (2, 'a', 'b', '{7,7}')")
        pair.run(pair.alpha, "UPDATE t SET a = 'x' WHERE id = 2")
        pair.run(pair.alpha, "DELETE FROM t WHERE id = 1")
    assert stamps_of(pair, pair.alpha, "id = 2") == [7, 7]
    assert tombstones(pair) == []


def tombstones(pair: Pair, table: str = "t") -> list[tuple[object, ...]]:
    query = "SELECT key, life, deleted, saw, stamps, cells, referential FROM kuroshio.tombstone"
    query += " WHERE nspname = %s AND relname = %s"
    return pair.run(pair.alpha, query, (pair.schema, table))


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


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE t SET id = 2", "the primary key"),
        ("TRUNCATE t", "TRUNCATE is refused"),
        ("ALTER TABLE t ADD COLUMN c uuid DEFAULT gen_random_uuid()", "volatile default"),
        ("ALTER TABLE t RENAME COLUMN a TO c", "cannot be renamed"),
    ],
)
def test_what_other_sites_could_not_follow_is_refused(pair: Pair, statement: str, words: str) -> None:
    """Pitfalls P14 and P15."""
    simple(pair)
    with pytest.raises(psycopg.errors.FeatureNotSupported, match=words) as refused:
        pair.run(pair.alpha, statement)
    assert refused.value.diag.message_hint


def test_an_added_column_is_stamped_from_the_same_transaction_on(pair: Pair) -> None:
    simple(pair)
    with pair.alpha.transaction():
        pair.run(pair.alpha, "ALTER TABLE t ADD COLUMN c int DEFAULT 0")
        pair.run(pair.alpha, "UPDATE t SET c = 1")
    assert number_under(stamps_of(pair, pair.alpha, "id = 1"), cell_key("c"))


def test_a_dropped_column_leaves_the_others_stamped(pair: Pair) -> None:
    simple(pair)
    pair.run(pair.alpha, "ALTER TABLE t DROP COLUMN a")
    pair.run(pair.alpha, "UPDATE t SET b = 'x'")
    pair.run(pair.alpha, "INSERT INTO t VALUES (2, 'y')")
    assert number_under(stamps_of(pair, pair.alpha, "id = 1"), cell_key("b"))
    pair.run(pair.alpha, "DELETE FROM t WHERE id = 2")
    assert [row[5] for row in tombstones(pair)] == [{"b": "y"}]


def test_ddl_that_is_rolled_back_leaves_the_triggers_as_they_were(pair: Pair) -> None:
    simple(pair)
    with pair.alpha.transaction(force_rollback=True):
        pair.run(pair.alpha, "ALTER TABLE t ADD COLUMN c int")
    pair.run(pair.alpha, "UPDATE t SET a = 'x'")
    assert number_under(stamps_of(pair, pair.alpha, "id = 1"), cell_key("a"))


TYPES = {
    "mood": ("mood", "'sad'", "'froh 快樂'"),
    "numbers": ("int[]", "'{1,2}'", "'{2,1}'"),
    "period": ("tstzrange", "'[2020-01-01,2021-01-01)'", "'[2020-01-01,)'"),
    "document": ("jsonb", """'{"a": 1, "b": [null]}'""", """'{"a": 1.0, "b": []}'"""),
    "text_document": ("json", """'{"a":1}'""", """'{"a": 1}'"""),
    "raw": ("bytea", "'\\x00'", "'\\x'"),
    "scale": ("numeric", "1.0", "1.00"),
    "float": ("float8", "0.0", "'-0'"),
    "point": ("point", "'(1,1)'", "'(1.0000001,1)'"),
    "composite": ("pair_of", "ROW(1,'x')", "ROW(1,NULL)"),
    "Ünïcode 名": ("text", "''", "NULL"),
    'qu"ote': ("varchar(10)", "'a'", "'a '"),
    "net": ("inet", "'10.0.0.1'", "'10.0.0.1/8'"),
    "flag": ("bool", "true", "NULL"),
    "padded": ("char(4)", "'a'", "'ab'"),
    "bits": ("bit varying", "B'1'", "B'10'"),
    "span": ("interval", "'1 month'", "'30 days'"),
}


def typed_ddl() -> str:
    columns = ", ".join(f"{quoted(name)} {type_} DEFAULT {value}" for name, (type_, value, _) in TYPES.items())
    generated = "twice int GENERATED ALWAYS AS (a * 2) STORED"
    return f'CREATE TABLE "Täble ""T""" (a int, "B 鍵" text, {columns}, {generated}, PRIMARY KEY ("B 鍵", a))'


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@pytest.fixture
def typed(pair: Pair) -> Pair:
    pair.everywhere("CREATE TYPE mood AS ENUM ('sad', 'froh 快樂')")
    pair.everywhere("CREATE TYPE pair_of AS (x int, y text)")
    pair.everywhere(typed_ddl())
    pair.enlist('Täble "T"')
    pair.run(pair.alpha, 'INSERT INTO "Täble ""T""" (a, "B 鍵") VALUES (1, \'鑰匙\')')
    return pair


@pytest.mark.parametrize("name", TYPES)
def test_an_edit_is_seen_in_a_column_of_any_type(typed: Pair, name: str) -> None:
    table, (_, old, new) = quoted('Täble "T"'), TYPES[name]
    typed.run(typed.alpha, f"UPDATE {table} SET {quoted(name)} = {old}")
    assert len(stamps_of(typed, typed.alpha, "a = 1", table)) == 2, "its own value is no edit"
    typed.run(typed.alpha, f"UPDATE {table} SET {quoted(name)} = {new}")
    assert stamps_of(typed, typed.alpha, "a = 1", table)[2::2] == [cell_key(name)]


def test_generated_columns_are_not_stamped_and_keys_of_several_columns_delete(typed: Pair) -> None:
    typed.run(typed.alpha, 'DELETE FROM "Täble ""T"""')
    [(key, *_, cells, _)] = tombstones(typed, 'Täble "T"')
    assert key == ["鑰匙", "1"]
    assert set(cells) == set(TYPES)  # type: ignore[call-overload]


def test_columns_of_a_group_are_stamped_together(pair: Pair) -> None:
    """Pitfall P11."""
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, amount int, currency text, other int)")
    group = {"rule": "latest", "group": ["amount", "currency"]}
    pair.enlist("t", {"columns": {"amount": group, "currency": group}})
    pair.run(pair.alpha, "INSERT INTO t VALUES (1, 1, 'TWD', 1)")
    pair.run(pair.alpha, "UPDATE t SET amount = 2")
    packed = stamps_of(pair, pair.alpha, "id = 1")
    assert number_under(packed, cell_key("amount")) == number_under(packed, cell_key("currency")) > packed[1]
    assert len(packed) == 6


def test_a_site_with_authority_raises_the_epoch_and_others_keep_it(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, credit int)")
    pair.enlist("t", {"columns": {"credit": {"rule": "site", "site": "alpha"}}})
    epoch = cell_key("credit", EPOCH)
    pair.everywhere("INSERT INTO t VALUES (1, 0)")
    assert number_under(stamps_of(pair, pair.alpha, "id = 1"), epoch) == 1
    assert number_under(stamps_of(pair, pair.beta, "id = 1"), epoch) == 0
    pair.everywhere("UPDATE t SET credit = 1")
    assert number_under(stamps_of(pair, pair.alpha, "id = 1"), epoch) == 2
    with as_applied(pair.beta):
        pair.run(pair.beta, "UPDATE t SET kuroshio = %s", (stamps_of(pair, pair.alpha, "id = 1"),))
    pair.run(pair.beta, "UPDATE t SET credit = 2")
    assert number_under(stamps_of(pair, pair.beta, "id = 1"), epoch) == 2, "the epoch that it saw"
    assert number_under(stamps_of(pair, pair.beta, "id = 1"), cell_key("credit")) & 1023 == B


def test_the_owner_raises_the_epoch_and_a_new_owner_begins_a_new_term(pair: Pair) -> None:
    """Pitfall P4: the term is the stamp of the owner cell that the writer saw."""
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, keeper text, status text)")
    pair.enlist("t", {"owner": "keeper", "columns": {"status": {"rule": "owner"}}})
    pair.run(pair.alpha, "INSERT INTO t VALUES (1, 'alpha', 'new')")
    pair.run(pair.alpha, "UPDATE t SET status = 'open'")
    status = cell_id("status")
    first = Stamps.unpack(stamps_of(pair, pair.alpha, "id = 1")).of(status)
    assert (first.term, first.epoch) == (0, 2)
    pair.run(pair.alpha, "UPDATE t SET keeper = 'beta'")
    handed_over = stamps_of(pair, pair.alpha, "id = 1")
    with as_applied(pair.beta):
        pair.run(pair.beta, "INSERT INTO t VALUES (1, 'beta', 'open', %s)", (handed_over,))
    pair.run(pair.beta, "UPDATE t SET status = 'won'")
    pair.run(pair.alpha, "UPDATE t SET status = 'late'")
    new_owner = Stamps.unpack(stamps_of(pair, pair.beta, "id = 1")).of(status)
    ex_owner = Stamps.unpack(stamps_of(pair, pair.alpha, "id = 1")).of(status)
    assert new_owner.term == number_under(handed_over, cell_key("keeper", MOMENT))
    assert new_owner.epoch == first.epoch + 1
    assert ex_owner.epoch == first.epoch
    assert new_owner > ex_owner
    assert number_under(handed_over, cell_key("status", TERM)) == 0


def test_the_applications_own_role_may_write(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, a text)")
    pair.enlist("t")
    pair.run(pair.alpha, f"GRANT USAGE ON SCHEMA {pair.schema} TO app")
    pair.run(pair.alpha, "GRANT ALL ON t TO app")
    with connect(pair.config.sites["alpha"].dsn(), name="as app") as session:
        session.execute("SET ROLE app")
        pair.run(session, "INSERT INTO t VALUES (1, 'x')")
        pair.run(session, "UPDATE t SET a = 'y'")
        pair.run(session, "DELETE FROM t")
        pair.run(session, "INSERT INTO t VALUES (1, 'z')")
    assert number_under(stamps_of(pair, pair.alpha, "id = 1"), LIFE) == 2


def test_a_rows_version_changes_when_the_row_does(pair: Pair) -> None:
    simple(pair)
    query = f"SELECT kuroshio.row_version('{pair.schema}.t', '{{1}}')"
    before = pair.run(pair.alpha, query)
    pair.run(pair.alpha, "UPDATE t SET a = a")
    assert pair.run(pair.alpha, query) == before
    pair.run(pair.alpha, "UPDATE t SET a = 'x'")
    assert pair.run(pair.alpha, query) != before
    assert pair.run(pair.alpha, query.replace("{1}", "{9}")) == [(None,)]


def test_a_writers_search_path_does_not_reach_into_the_insert_trigger(pair: Pair) -> None:
    """It runs with its owner's rights, and pins no path."""
    simple(pair)
    pair.run(pair.alpha, "CREATE SCHEMA IF NOT EXISTS hostile")
    for name, takes in (("date_part", "text, timestamptz"), ("transaction_timestamp", ""), ("plus", "bigint, bigint")):
        body = "BEGIN RAISE EXCEPTION 'reached'; END"
        returns = "timestamptz" if name == "transaction_timestamp" else "bigint"
        pair.run(
            pair.alpha, f"CREATE FUNCTION hostile.{name}({takes}) RETURNS {returns} LANGUAGE plpgsql AS $$ {body} $$"
        )
    operator = "FUNCTION = hostile.plus, LEFTARG = bigint, RIGHTARG = bigint"
    for sign in ("+", "<<"):
        pair.run(pair.alpha, f"CREATE OPERATOR hostile.{sign} ({operator})")
    pair.run(pair.alpha, "CREATE DOMAIN hostile.text AS bigint")
    with connect(pair.config.sites["alpha"].dsn(), name="user") as user:
        user.execute("SET search_path = hostile, pg_catalog")
        user.execute(f"INSERT INTO {pair.schema}.t VALUES (2, 'a', 'b')".encode())

"""A tombstone goes when nothing older can arrive, and one that is dropped elsewhere does not kill what is new."""

from collections.abc import Mapping
from dataclasses import replace

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replication.apply.merging import Merger
from replication.apply.tables import Tables
from replication.core.changes import Author, Change
from replication.core.merge import Row, is_contested
from replication.core.progress import parse_lsn
from replication.core.rules import Cell
from replication.core.stamps import Stamp, Stamps, cell_id, join, moment
from replication.postgres import tombstones
from replication.postgres.catalog import Table
from replication.postgres.connect import connect
from replication.postgres.parameters import register
from sitecfg import Config
from tests.postgres.servers import Pair, as_applied

DELETED_LSN = 500


@pytest.fixture
def table(pair: Pair) -> Table:
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, a text)")
    for name in ("tombstone", "claim", "settled", "position", "parked"):
        pair.run(pair.alpha, f"DELETE FROM kuroshio.{name}")  # of the tests before
    register(pair.alpha)
    return pair.enlist("t")


def change(pair: Pair, op: str, at: int, lsn: int = DELETED_LSN, **more: object) -> Change:
    cells: Mapping[str, bytes | None] = {} if op == "D" else {"a": b"beta"}
    author = Author("beta", 2, lsn - 10, lsn + 10, {})
    saw = (moment(at - 1, 2), 0) if op == "D" else ()
    return Change((pair.schema, "t"), op, (b"1",), cells, moment(at, 2), 0, author, saw=saw, committed=lsn, **more)  # type: ignore[arg-type]


def merge(pair: Pair, table: Table, *changes: Change) -> list[str]:
    """Merge at alpha as apply does; returns the reasons for which changes were parked."""
    parked: list[str] = []
    tables = Tables(pair.alpha, pair.config.rules)
    merger = Merger(
        pair.alpha, 1, list(pair.config.sites), tables, lambda _change, reason, _detail: parked.append(reason)
    )
    with as_applied(pair.alpha), pair.alpha.transaction():
        merger.merge(table, changes)
    return parked


def settle(pair: Pair) -> None:
    """What apply does when nobody is at work any more, and capture after it."""
    with as_applied(pair.alpha):
        pair.run(
            pair.alpha,
            "INSERT INTO kuroshio.position (origin, incarnation, lsn) VALUES ('beta', '', '0/1000')"
            " ON CONFLICT (origin) DO UPDATE SET lsn = '0/1000'",
        )
        seen = tombstones.horizon(pair.alpha)
        assert seen is not None
        tombstones.settle(pair.alpha, seen)
    tombstones.claim(pair.alpha)


def hear(pair: Pair, **claims: str) -> None:
    """Beta's claims arrive."""
    with as_applied(pair.alpha):
        tombstones.save_claims(pair.alpha, "beta", {origin: parse_lsn(lsn) for origin, lsn in claims.items()})


def graves(pair: Pair) -> int:
    with as_applied(pair.alpha):
        tables = Tables(pair.alpha, pair.config.rules)
        tombstones.collect(pair.alpha, list(pair.config.sites), tables.needs)
    [(count,)] = pair.run(pair.alpha, f"SELECT count(*) FROM kuroshio.tombstone WHERE nspname = '{pair.schema}'")
    return int(str(count))


def visible(pair: Pair) -> bool:
    return bool(pair.run(pair.alpha, "SELECT 1 FROM t"))


FAR = "F/0"


def test_it_goes_when_all_claim_the_delete_and_then_all_that_was_applied_where_it_was_stable(
    pair: Pair, table: Table
) -> None:
    merge(pair, table, change(pair, "D", 1_000))
    assert graves(pair) == 1
    settle(pair)
    assert graves(pair) == 1, "beta has not claimed its own delete: an insert that raced with it may come"
    hear(pair, beta=f"0/{DELETED_LSN + 1:X}")
    assert graves(pair) == 1, "it is stable; beta may not know of that"
    hear(pair, beta=FAR, alpha=FAR)
    assert graves(pair) == 1, "nor has alpha claimed it"
    settle(pair)
    assert graves(pair) == 0


def test_a_delete_made_here_gets_its_place_when_it_is_settled(pair: Pair, table: Table) -> None:
    pair.run(pair.alpha, "INSERT INTO t VALUES (1, 'x')")
    pair.run(pair.alpha, "DELETE FROM t")
    hear(pair, beta=FAR, alpha=FAR)
    assert graves(pair) == 1
    query = f"SELECT passed->>'alpha' FROM kuroshio.tombstone WHERE nspname = '{pair.schema}'"
    assert pair.run(pair.alpha, query) == [(None,)]
    settle(pair)
    assert pair.run(pair.alpha, query) != [(None,)]
    assert graves(pair) == 1
    settle(pair)
    assert graves(pair) == 0


def test_a_row_that_was_written_to_unseen_is_not_forgotten(pair: Pair, table: Table) -> None:
    """Under the rule that a delete loses it would be there."""
    unseen = replace(change(pair, "D", 1_000), saw=(moment(500, 2), 0))
    merge(pair, table, change(pair, "I", 100), unseen, change(pair, "U", 999))
    assert not visible(pair)
    for _ in range(2):
        settle(pair)
        hear(pair, beta=FAR, alpha=FAR)
        assert graves(pair) == 1
    merge(pair, table, change(pair, "D", 2_000))
    for _ in range(2):
        settle(pair)
        graves(pair)
    assert graves(pair) == 0, "the second delete had seen all"


@pytest.mark.parametrize("child", ["hidden", "deleted", "unset"])
def test_a_row_that_another_refers_to_out_of_sight_is_not_forgotten(pair: Pair, table: Table, child: str) -> None:
    pair.everywhere("CREATE TABLE c (id int PRIMARY KEY, t_id int REFERENCES t)")
    pair.enlist("c", {"claims": ["t_id"], "unset": ["c_t_id_fkey"]})
    pair.run(pair.alpha, "INSERT INTO t VALUES (1, 'x')")
    pair.run(pair.alpha, "INSERT INTO c VALUES (7, 1)")
    with as_applied(pair.alpha):
        if child == "unset":
            pair.run(pair.alpha, 'UPDATE c SET t_id = NULL, kuroshio_claims = \'{"t_id": "1"}\'')
        else:
            pair.run(
                pair.alpha,
                "INSERT INTO kuroshio.tombstone (nspname, relname, key, deleted, saw, stamps, cells, hidden) SELECT"
                f" '{pair.schema}', 'c', '{{7}}', 9, kuroshio, kuroshio, '{{\"t_id\": \"01\"}}', %s FROM c",
                ("fallen" if child == "hidden" else "",),
            )
            pair.run(pair.alpha, "DELETE FROM c")
    with pair.alpha.transaction():
        pair.run(pair.alpha, "SET LOCAL session_replication_role = replica")
        pair.run(pair.alpha, "DELETE FROM t")
    assert parents_left(pair) == 1
    with as_applied(pair.alpha):
        pair.run(pair.alpha, "DELETE FROM c")
        pair.run(pair.alpha, "DELETE FROM kuroshio.tombstone WHERE relname = 'c'")
    assert parents_left(pair) == 0


def parents_left(pair: Pair) -> int:
    """How many tombstones of parents stay; those of children are not settled yet."""
    return left(pair, "t", unsettled="c")


def left(pair: Pair, name: str, *, unsettled: str) -> int:
    """How many tombstones of a table stay, while those of another one are never settled."""
    for _ in range(3):
        settle(pair)
        pair.run(pair.alpha, "UPDATE kuroshio.tombstone SET settled = false WHERE relname = %s", (unsettled,))
        hear(pair, beta=FAR, alpha=FAR)
        graves(pair)
    query = "SELECT count(*) FROM kuroshio.tombstone WHERE nspname = %s AND relname = %s"
    [(count,)] = pair.run(pair.alpha, query, (pair.schema, name))
    return int(str(count))


def test_what_was_deleted_with_its_parent_is_forgotten_after_it(pair: Pair, table: Table) -> None:
    """The parent may come back, and the child with it; the child alone does not."""
    pair.everywhere("CREATE TABLE c (id int PRIMARY KEY, t_id int REFERENCES t ON DELETE CASCADE)")
    pair.enlist("c")
    pair.run(pair.alpha, "INSERT INTO t VALUES (1, 'x')")
    pair.run(pair.alpha, "INSERT INTO c VALUES (7, 1), (8, 1)")
    pair.run(pair.alpha, "DELETE FROM c WHERE id = 8")
    pair.run(pair.alpha, "DELETE FROM t")
    assert left(pair, "c", unsettled="t") == 1
    assert left(pair, "t", unsettled="") == 0
    assert left(pair, "c", unsettled="") == 0


def test_who_was_at_work_is_waited_for(pair: Pair, table: Table) -> None:
    pair.run(pair.alpha, "INSERT INTO t VALUES (1, 'x')")
    pair.run(pair.alpha, "DELETE FROM t")
    watcher = pair.config.sites["alpha"].dsn()
    with connect(watcher, name="reader") as reader, reader.transaction():
        reader.execute("SELECT 1")
        seen = tombstones.horizon(pair.alpha)
        assert seen is not None
        assert seen.at_work & tombstones.at_work(pair.alpha), "a transaction that has only read may yet insert"
    assert not seen.at_work & tombstones.at_work(pair.alpha)


def test_an_insert_from_where_the_tombstone_is_dropped_begins_anew_where_it_is_stable(pair: Pair, table: Table) -> None:
    merge(pair, table, change(pair, "D", 1_000, life=3))
    settle(pair)
    hear(pair, beta=FAR)
    assert merge(pair, table, change(pair, "I", 2_000, lsn=900)) == []
    assert visible(pair)
    assert graves(pair) == 0


def test_an_update_of_such_a_row_waits_for_its_insert(pair: Pair, table: Table) -> None:
    merge(pair, table, change(pair, "D", 1_000))
    settle(pair)
    hear(pair, beta=FAR)
    assert merge(pair, table, change(pair, "U", 2_000, lsn=900)) == ["insert"]


def test_an_earlier_life_loses_against_a_tombstone_that_is_not_stable(pair: Pair, table: Table) -> None:
    merge(pair, table, change(pair, "D", 1_000, life=3))
    settle(pair)
    assert merge(pair, table, change(pair, "I", 2_000, lsn=490)) == []
    assert not visible(pair)
    assert graves(pair) == 1


def test_what_waits_here_is_not_claimed(pair: Pair, table: Table) -> None:
    merge(pair, table, change(pair, "D", 1_000))
    pair.run(
        pair.alpha,
        "INSERT INTO kuroshio.parked (nspname, relname, key, moment, op, origin, lsn, change, reason)"
        " VALUES ('x', 'y', '{1}', 1, 'U', 'beta', '0/20', '{\"from_lsn\": 16}', 'insert')",
    )
    settle(pair)
    claim = "SELECT lsn::text FROM kuroshio.claim WHERE (reader, origin) = ('alpha', 'beta')"
    assert pair.run(pair.alpha, claim) == [("0/10",)]
    pair.run(pair.alpha, "DELETE FROM kuroshio.parked")
    settle(pair)
    assert pair.run(pair.alpha, claim) == [(f"0/{DELETED_LSN + 1:X}",)], "as much as is needed, and no more"


def test_a_delete_that_was_parked_does_not_lower_what_a_later_one_needs(pair: Pair, table: Table) -> None:
    merge(pair, table, change(pair, "D", 2_000, lsn=900))
    merge(pair, table, change(pair, "D", 1_000, lsn=300))
    query = f"SELECT passed->>'beta' FROM kuroshio.tombstone WHERE nspname = '{pair.schema}'"
    assert pair.run(pair.alpha, query) == [(f"0/{901:X}",)]


def test_who_may_write_may_not_ask_what_was_deleted(pair: Pair, table: Table) -> None:
    pair.run(pair.alpha, "CREATE ROLE clerk")
    pair.run(pair.alpha, f"GRANT USAGE ON SCHEMA {pair.schema} TO clerk")
    pair.run(pair.alpha, "GRANT SELECT, INSERT, DELETE ON t TO clerk")
    pair.run(pair.alpha, "SET ROLE clerk")
    pair.run(pair.alpha, "INSERT INTO t VALUES (1, 'x')")
    pair.run(pair.alpha, "DELETE FROM t")
    pair.run(pair.alpha, "INSERT INTO t VALUES (1, 'again')")
    for forbidden in ("SELECT * FROM kuroshio.tombstone", "SELECT kuroshio.next_life('s', 't', '{1}', 1, 1)"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            pair.run(pair.alpha, forbidden)
    pair.run(pair.alpha, "RESET ROLE")


STAMP = st.builds(Stamp, st.integers(0, 2), st.integers(0, 2), st.integers(11, 15).map(lambda at: at << 10))


def stamps_of(base: int, cells: dict[int, Stamp]) -> Stamps:
    return Stamps(base << 10, 0, 1, {cell | 1 << 31: stamp for cell, stamp in cells.items()})


STAMPS = st.builds(stamps_of, st.integers(10, 14), st.dictionaries(st.integers(1, 3), STAMP))


def test_what_two_deletes_saw_is_joined_as_the_pure_join_does(shared: Config) -> None:
    site = next(iter(shared.sites.values()))
    with connect(site.dsn(), name="test") as session:

        @settings(max_examples=200, deadline=None)
        @given(STAMPS, STAMPS)
        def same(left: Stamps, right: Stamps) -> None:
            query = "SELECT kuroshio.join_stamps(%s::bigint[], %s::bigint[])"
            [(found,)] = session.execute(query, (left.pack(), right.pack())).fetchall()
            assert found == join(left, right).pack()

        same()


def test_a_contested_row_is_found_as_the_pure_function_does(shared: Config) -> None:
    site = next(iter(shared.sites.values()))
    cells = {cell_id(name): name for name in ("a", "b", "c")}
    edited = st.dictionaries(st.sampled_from(sorted(cells)), STAMP)
    some = st.builds(lambda base, found: Stamps(base << 10, 0, 1, found), st.integers(10, 14), edited)
    with connect(site.dsn(), name="test") as session:

        @settings(max_examples=200, deadline=None)
        @given(some, some | st.none(), st.sampled_from((0, 100 << 10)))
        def same(saw: Stamps, other: Stamps | None, heard: int) -> None:
            stamps = other or saw
            row = Row(1, stamps.base, 99 << 10, saw, {name: Cell(stamps.of(cell), b"") for cell, name in cells.items()})
            row = row.hearing(heard)
            query = "SELECT kuroshio.is_contested(%s, %s::bigint[], %s::bigint[])"
            [(found,)] = session.execute(query, (row.deleted, saw.pack(), row.stamps().pack())).fetchall()
            assert found is is_contested(row)

        same()

"""Rows that are out of sight and not forgotten are deleted for good when their time has passed, and then go like any
other."""

from dataclasses import replace
from functools import partial

import pytest

from replication.apply.applier import Applier
from replication.apply.burying import Burying
from replication.apply.merging import Merger
from replication.apply.releasing import Releasing
from replication.apply.tables import Tables
from replication.core.authority import Standing
from replication.core.burial import bury, is_task_of
from replication.core.changes import Author, Change
from replication.core.merge import Row, RowRules
from replication.core.stamps import moment, site_of
from replication.core.writing import Writer
from replication.definitions import rules_for
from replication.postgres import applying, burials, states
from replication.postgres.catalog import Table, describe
from replication.postgres.indexes import constraints
from replication.postgres.parameters import register
from replication.postgres.rows import FastRows
from sitecfg import Rules, TableRules
from sitecfg.rules import Share
from tests.postgres.house import House
from tests.postgres.servers import Pair, as_applied
from tests.postgres.test_tombstones import FAR, graves, hear, merge, settle

LONG, NONE = 90, 0
NUMBERS = {"alpha": 1, "beta": 2}
AUTHOR = Author("beta", 2, 0, 0, {})
FALLS = TableRules(parents={"c_q_id_fkey": "falls"})
GRAVES = "SELECT relname, hidden, referential FROM kuroshio.tombstone WHERE nspname = %s ORDER BY 1"


@pytest.fixture(autouse=True)
def _of_the_tests_before(pair: Pair) -> None:
    register(pair.alpha)
    for name in ("tombstone", "claim", "settled", "position", "parked", "burial"):
        pair.run(pair.alpha, f"DELETE FROM kuroshio.{name}")


@pytest.fixture
def house(pair: Pair) -> House:
    """A child falls with its parent, and takes along its own child, for which parents return."""
    pair.everywhere("CREATE TABLE q (id int PRIMARY KEY, name text)")
    pair.everywhere("CREATE TABLE c (id int PRIMARY KEY, q_id int REFERENCES q)")
    pair.everywhere("CREATE TABLE d (id int PRIMARY KEY, c_id int REFERENCES c)")
    rules = {"q": TableRules(), "c": FALLS, "d": TableRules()}
    for name, said in rules.items():
        table = describe(pair.alpha, pair.schema, name)
        pair.enlist(name, rules_for(table, constraints(pair.alpha, table), said))
    tables = Tables(pair.alpha, Rules({f"{pair.schema}.{name}": said for name, said in rules.items()}))
    merger = Merger(pair.alpha, 1, list(pair.config.sites), tables, partial(applying.park, pair.alpha))
    house = House(pair, tables, merger, Applier(pair.alpha, tables, merger, FastRows(), 10**18))
    house.by_name = {name: describe(pair.alpha, pair.schema, name) for name in rules}
    return house


def note(pair: Pair, tables: Tables, days: int, own: int = 1) -> int:
    """What apply does every few seconds; returns how many rows are due."""
    with as_applied(pair.alpha), pair.alpha.transaction():
        Burying(pair.alpha, tables, NUMBERS, own, days).look()
    [(count,)] = pair.run(pair.alpha, "SELECT count(*) FROM kuroshio.burial")
    return int(str(count))


def pass_everywhere(pair: Pair) -> int:
    """All sites hear of everything, and children go before their parents; returns how many tombstones stay."""
    for _ in range(8):
        settle(pair)
        hear(pair, beta=FAR, alpha=FAR)
        left = graves(pair)
    return left


def fall(house: House) -> None:
    """Alpha deletes a parent that beta has given a child, and that one of its own."""
    pair = house.pair
    pair.run(pair.alpha, "INSERT INTO q VALUES (1, 'x')")
    pair.run(pair.alpha, "DELETE FROM q")
    for name, refers in (("c", "q_id"), ("d", "c_id")):
        house.apply([Change((pair.schema, name), "I", (b"1",), {refers: b"1"}, moment(5, 2), 0, AUTHOR)])
    assert pair.run(pair.alpha, GRAVES, (pair.schema,)) == [
        ("c", "fallen", False),
        ("d", "fallen", False),
        ("q", "", False),
    ]


def test_rows_that_fell_are_buried_with_their_parent_and_nothing_is_left(house: House) -> None:
    pair = house.pair
    fall(house)
    assert note(pair, house.tables, NONE) == 0, "beta may not have heard of the delete"
    assert pass_everywhere(pair) == 3, "who fell is kept, and so is the parent"
    assert note(pair, house.tables, LONG) == 0
    assert note(pair, house.tables, NONE, own=2) == 0, "it is alpha's task"
    assert note(pair, house.tables, NONE) == 2
    burials.bury(pair.alpha)
    assert pair.run(pair.alpha, GRAVES, (pair.schema,)) == [("c", "", True), ("d", "", True), ("q", "", False)]
    assert pass_everywhere(pair) == 0
    house.look_again()
    assert pair.run(pair.alpha, "SELECT id FROM q UNION ALL SELECT id FROM c UNION ALL SELECT id FROM d") == []


def test_a_parent_that_is_made_anew_in_time_has_its_children(house: House) -> None:
    pair = house.pair
    fall(house)
    pass_everywhere(pair)
    assert note(pair, house.tables, NONE) == 2
    pair.run(pair.alpha, "INSERT INTO q VALUES (1, 'again')")
    house.look_again()
    burials.bury(pair.alpha)
    assert pair.run(pair.alpha, "SELECT c.id, d.id FROM c JOIN d ON d.c_id = c.id") == [(1, 1)]
    assert note(pair, house.tables, NONE) == 0


def test_a_parent_whose_delete_is_disputed_keeps_its_children(house: House) -> None:
    """An edit that the delete had not seen would bring it back under another rule."""
    pair = house.pair
    fall(house)
    [(base,)] = pair.run(pair.alpha, "SELECT saw[1] FROM kuroshio.tombstone WHERE relname = 'q'")
    unseen = moment((int(str(base)) >> 10) + 1, 2)
    house.apply([Change((pair.schema, "q"), "U", (b"1",), {"name": b"unseen"}, unseen, 0, AUTHOR)])
    pass_everywhere(pair)
    assert note(pair, house.tables, NONE) == 1, "the parent's own turn is first"
    burials.bury(pair.alpha)
    pass_everywhere(pair)
    assert note(pair, house.tables, NONE) == 2
    burials.bury(pair.alpha)
    assert pass_everywhere(pair) == 0


@pytest.mark.parametrize("order", [("c", "d"), ("d", "c")])
def test_what_is_buried_elsewhere_goes_here_children_first_or_last(house: House, order: tuple[str, str]) -> None:
    pair = house.pair
    fall(house)
    pass_everywhere(pair)
    saw, at = (moment(5, 2), 0), moment(10**15, 2)
    gone = Change((pair.schema, "c"), "D", (b"1",), {}, at, 0, AUTHOR, saw=saw, committed=1, referential=True)
    for name in order:
        house.apply([replace(gone, table=(pair.schema, name))])
    with as_applied(pair.alpha), pair.alpha.transaction():
        Releasing(pair.alpha, house.tables, house.merger).look()
    assert pair.run(pair.alpha, GRAVES, (pair.schema,)) == [("c", "", True), ("d", "", True), ("q", "", False)]


def write_unseen(pair: Pair) -> Table:
    """Alpha deletes a row; then it hears that beta wrote to it before."""
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, a text)")
    table = pair.enlist("t")
    pair.run(pair.alpha, "INSERT INTO t VALUES (1, 'x')")
    pair.run(pair.alpha, "DELETE FROM t")
    age(pair)
    [(base,)] = pair.run(pair.alpha, "SELECT saw[1] FROM kuroshio.tombstone")
    at = moment((int(str(base)) >> 10) + 1, 2)
    merge(pair, table, Change((pair.schema, "t"), "U", (b"1",), {"a": b"beta"}, at, 0, AUTHOR))
    return table


def age(pair: Pair) -> None:
    """As if all tombstones had lain here for a hundred days."""
    pair.run(pair.alpha, "UPDATE kuroshio.tombstone SET known_since = now() - interval '100 days'")


def test_the_time_is_counted_from_when_an_edit_was_heard_of(pair: Pair) -> None:
    write_unseen(pair)
    tables = Tables(pair.alpha, pair.config.rules)
    pass_everywhere(pair)
    assert note(pair, tables, LONG) == 0, "the delete is old, the edit came now"
    age(pair)
    assert note(pair, tables, LONG) == 1


def test_the_time_is_counted_from_when_a_child_fell(house: House) -> None:
    pair = house.pair
    fall(house)
    pair.run(pair.alpha, "UPDATE kuroshio.tombstone SET known_since = '2020-01-01Z' WHERE relname = 'q'")
    pass_everywhere(pair)
    assert note(pair, house.tables, LONG) == 0, "the parent is gone for long, its child came now"
    age(pair)
    assert note(pair, house.tables, LONG) == 2


def test_what_may_live_where_this_site_does_not_see_it_is_never_buried(pair: Pair) -> None:
    table = write_unseen(pair)
    pass_everywhere(pair)
    shared = TableRules(share=Share(column="a", by_value={"beta": ("beta",)}))
    sites = list(pair.config.sites)
    assert note(pair, Tables(pair.alpha, Rules({str(table): shared}), sites, "alpha"), NONE) == 0
    assert note(pair, Tables(pair.alpha, pair.config.rules, sites, "alpha"), NONE) == 1


def test_a_row_that_was_written_to_unseen_is_buried_when_its_time_has_passed(pair: Pair) -> None:
    write_unseen(pair)
    tables = Tables(pair.alpha, pair.config.rules)
    assert note(pair, tables, NONE) == 0, "not every site has passed the delete"
    assert pass_everywhere(pair) == 1
    assert note(pair, tables, LONG) == 0
    assert note(pair, tables, NONE) == 1
    pair.run(pair.alpha, "UPDATE kuroshio.tombstone SET xid = pg_current_xact_id()")
    burials.bury(pair.alpha)
    assert pass_everywhere(pair) == 1, "something was written since it was found due"
    assert note(pair, tables, NONE) == 1
    burials.bury(pair.alpha)
    assert pass_everywhere(pair) == 0


def test_what_fell_is_buried_as_the_pure_function_says(house: House) -> None:
    fall(house)
    pass_everywhere(house.pair)
    assert note(house.pair, house.tables, NONE) == 2
    bury_and_compare(house.pair, house.by_name["c"], house.by_name["d"])


def test_what_was_written_to_unseen_is_buried_as_the_pure_function_says(pair: Pair) -> None:
    table = write_unseen(pair)
    pass_everywhere(pair)
    assert note(pair, Tables(pair.alpha, pair.config.rules), NONE) == 1
    bury_and_compare(pair, table)


def bury_and_compare(pair: Pair, *tables: Table) -> None:
    before = [held(pair, table) for table in tables]
    burials.bury(pair.alpha)
    for row, table in zip(before, tables, strict=True):
        found, made = held(pair, table), bury(row, Writer(1, RowRules(), lambda *_: Standing("latest", False, 0)), 0)
        assert site_of(found.deleted) == 1
        assert found.deleted >= made.deleted, "later than all there was, whatever the clock"
        assert found == replace(made, deleted=found.deleted)


def held(pair: Pair, table: Table) -> Row:
    return states.read(pair.alpha, table, [(b"1",)], RowRules())[(b"1",)].row


@pytest.mark.parametrize("author", [1, 2, 3])
@pytest.mark.parametrize("own", [1, 2])
def test_whose_task_it_is_is_what_the_pure_function_says(pair: Pair, author: int, own: int) -> None:
    write_unseen(pair)
    pair.run(pair.alpha, "UPDATE kuroshio.tombstone SET deleted = (deleted >> 10 << 10) | %s", (author,))
    pass_everywhere(pair)
    [(deleted,)] = pair.run(pair.alpha, "SELECT deleted FROM kuroshio.tombstone")
    found = note(pair, Tables(pair.alpha, pair.config.rules), NONE, own)
    assert found == is_task_of(own, int(str(deleted)), NUMBERS.values())

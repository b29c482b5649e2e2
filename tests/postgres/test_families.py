"""Rows that were deleted with their parent: whatever arrives in whatever order, those exist that the pure function says
(replication/core/families.py); and PostgreSQL's own cascades say so to the other sites (pitfall P7)."""

import os
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import pytest

from replication.apply.applier import Applier
from replication.apply.merging import Merger
from replication.apply.tables import Tables
from replication.core.changes import Author, Change, Key
from replication.core.families import Member, Name, existing
from replication.core.merge import Row, RowRules, lives, merge
from replication.core.stamps import moment
from replication.definitions import rules_for
from replication.postgres import applying
from replication.postgres.catalog import describe
from replication.postgres.indexes import constraints
from replication.postgres.parameters import register
from replication.postgres.rows import FastRows
from sitecfg import Rules, TableRules
from tests.postgres.house import House
from tests.postgres.servers import Pair

TABLES = ("buyer", "shop", "sale", "line")
PARENTS: Mapping[str, Mapping[str, str]] = {
    "sale": {"buyer_id": "buyer"},
    "line": {"sale_id": "sale", "shop_id": "shop"},
}
CASCADING = {"buyer_id", "sale_id"}
CREATE = """
CREATE TABLE buyer (id int PRIMARY KEY, name text);
CREATE TABLE shop (id int PRIMARY KEY, name text);
CREATE TABLE sale (id int PRIMARY KEY, name text, buyer_id int REFERENCES buyer ON DELETE CASCADE);
CREATE TABLE line (id int PRIMARY KEY, name text, sale_id int REFERENCES sale ON DELETE CASCADE,
  shop_id int REFERENCES shop)"""
SEEDS = int(os.environ.get("KUROSHIO_FAMILIES", "8"))
AUTHOR = Author("beta", 2, 0, 0, {})


def house_under(pair: Pair, delete: str) -> House:
    for statement in CREATE.split(";"):
        pair.everywhere(statement)
    register(pair.alpha)
    pair.run(pair.alpha, "DELETE FROM kuroshio.parked")  # of the tests before
    rules = TableRules(delete=delete)
    for name in TABLES:
        table = describe(pair.alpha, pair.schema, name)
        pair.enlist(name, rules_for(table, constraints(pair.alpha, table), rules))
    tables = Tables(pair.alpha, Rules({f"{pair.schema}.{name}": rules for name in TABLES}))
    merger = Merger(pair.alpha, 1, list(pair.config.sites), tables, partial(applying.park, pair.alpha))
    house = House(pair, tables, merger, Applier(pair.alpha, tables, merger, FastRows(), 10**18))
    house.by_name = {name: describe(pair.alpha, pair.schema, name) for name in TABLES}
    return house


class Story:
    """Random changes of two other sites, among them deletes with all that PostgreSQL deletes with them."""

    def __init__(self, schema: str, seed: int) -> None:
        self.dice, self.schema, self.clock = random.Random(seed), schema, 1000
        self.changes: list[Change] = []
        for name in TABLES:
            for number in range(1, 4):
                self.add(name, number, "I", {"name": b"x", **self._references(name)})
        for _ in range(25):
            self._write()

    def _references(self, name: str) -> dict[str, bytes | None]:
        return {column: self.dice.choice([b"1", b"2", b"3", None]) for column in PARENTS.get(name, {})}

    def _write(self) -> None:
        name, number = self.dice.choice(TABLES), self.dice.randint(1, 3)
        kind = self.dice.choice(("edit", "move", "insert", "delete", "delete with its children"))
        if kind == "edit":
            self.add(name, number, "U", {"name": b"y"})
        elif kind == "move" and PARENTS.get(name):
            self.add(name, number, "U", self._references(name))
        elif kind == "insert":
            self.add(name, self.dice.randint(4, 6), "I", {"name": b"z", **self._references(name)})
        elif kind.startswith("delete"):
            self._delete(name, number, with_children=kind != "delete")

    def _delete(self, name: str, number: int, *, with_children: bool, cascaded: bool = False) -> None:
        self.add(name, number, "D", {}, cascaded=cascaded)
        children = [(child, column) for child, found in PARENTS.items() for column in found if found[column] == name]
        for child, column in children:
            refer = {c.key for c in self.changes if c.table[1] == child and c.cells.get(column) == b"%d" % number}
            for (key,) in sorted(refer) if with_children and column in CASCADING else ():
                self._delete(child, int(key), with_children=True, cascaded=True)

    def add(
        self, table: str, number: int, op: str, cells: Mapping[str, bytes | None], *, cascaded: bool = False
    ) -> None:
        self.clock += self.dice.randint(1, 5)
        at = moment(self.clock, self.dice.choice((2, 3)))
        saw = (moment(self.clock - self.dice.choice((1, 20, 60)), 3), 0) if op == "D" else ()
        name, key = (self.schema, table), (b"%d" % number,)
        self.changes.append(Change(name, op, key, cells, at, 0, AUTHOR, saw=saw, committed=1, referential=cascaded))

    def batches(self) -> Iterator[list[Change]]:
        left = self.changes + self.dice.sample(self.changes, 10)
        self.dice.shuffle(left)
        while left:
            count = self.dice.randint(1, 12)
            yield left[:count]
            del left[:count]


def expected(changes: Sequence[Change], rules: RowRules) -> set[Name]:
    """Who exists, by the pure functions."""
    rows: dict[tuple[str, Key], Row] = {}
    for change in changes:
        name = change.table[1], change.key
        rows[name] = merge(rows.get(name, Row()), change.row(rules), rules)
    members = {}
    for (table, key), row in rows.items():
        refers = {
            column: (parent, (value,))
            for column, parent in PARENTS.get(table, {}).items()
            if (cell := row.cells.get(column)) and (value := cell.value) is not None
        }
        members[("", table), key] = Member(
            lives(row, rules),
            row.base,
            row.deleted,
            row.cascaded,
            frozenset((("", parent), value) for parent, value in refers.values()),
            frozenset((("", parent), value) for column, (parent, value) in refers.items() if column in CASCADING),
        )
    return existing(members)


@pytest.mark.parametrize("delete", ["stamp", "loses", "wins"])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_those_rows_are_there_that_exist(pair: Pair, seed: int, delete: str) -> None:
    house, story = house_under(pair, delete), Story(pair.schema, seed)
    for batch in story.batches():
        house.apply(batch)
        if story.dice.random() < 0.2:
            house.look_again()
    for _ in range(4):
        house.look_again()
    there = ((name, key) for name in TABLES for (key,) in pair.run(pair.alpha, f"SELECT id FROM {name}"))
    found = {(("", name), (str(key).encode(),)) for name, key in there}
    assert found == expected(story.changes, RowRules({}, delete))
    for child, parents in PARENTS.items():
        for column, parent in parents.items():
            orphans = f"SELECT {column} FROM {child} WHERE {column} IS NOT NULL EXCEPT SELECT id FROM {parent}"
            assert pair.run(pair.alpha, orphans) == []


def test_what_postgresql_deletes_with_a_parent_comes_back_with_it_and_goes_with_it(pair: Pair) -> None:
    """At the site where somebody deleted the parent, who had not seen the last child."""
    house = house_under(pair, "stamp")
    pair.run(pair.alpha, "INSERT INTO buyer VALUES (1, 'x')")
    pair.run(pair.alpha, "INSERT INTO sale VALUES (1, 'seen', 1), (2, 'deleted before', 1)")
    pair.run(pair.alpha, "DELETE FROM sale WHERE id = 2")
    pair.run(pair.alpha, "DELETE FROM buyer")
    unseen = {"name": b"unseen", "buyer_id": b"1"}
    house.apply([Change((pair.schema, "sale"), "I", (b"3",), unseen, moment(5, 2), 0, AUTHOR)])
    assert pair.run(pair.alpha, "SELECT id, name FROM sale ORDER BY id") == [(1, "seen"), (3, "unseen")]
    assert pair.run(pair.alpha, "SELECT id FROM buyer") == [(1,)]
    pair.run(pair.alpha, "DELETE FROM sale WHERE id = 3")
    house.look_again()
    assert pair.run(pair.alpha, "SELECT id FROM sale UNION ALL SELECT id FROM buyer") == [], "nobody holds the buyer"
    pair.run(pair.alpha, "INSERT INTO buyer VALUES (1, 'anew')")
    house.look_again()
    assert pair.run(pair.alpha, "SELECT id FROM sale") == [], "a buyer who is made anew begins without sales"


def test_a_child_stays_where_its_parents_delete_comes_to_nothing_at_once(pair: Pair) -> None:
    """At the site of the child that the deleting site had not seen; the deletes come together, children first."""
    house = house_under(pair, "stamp")
    saw = (moment(9, 2), 0)
    cells = {"buyer": {"name": b"x"}, "sale": {"name": b"seen", "buyer_id": b"1"}}
    house.apply([Change((pair.schema, name), "I", (b"1",), cells[name], moment(9, 2), 0, AUTHOR) for name in cells])
    pair.run(pair.alpha, "INSERT INTO sale VALUES (3, 'unseen', 1)")
    for name in ("sale", "buyer"):
        gone = Change((pair.schema, name), "D", (b"1",), {}, moment(20, 2), 0, AUTHOR, saw=saw, committed=1)
        house.apply([replace(gone, referential=name == "sale")])
    assert pair.run(pair.alpha, "SELECT id, name FROM sale ORDER BY id") == [(1, "seen"), (3, "unseen")]


def test_a_table_that_comes_under_replication_later_is_known_to_refer_to_one_that_was_there(pair: Pair) -> None:
    """A parent that had come back for a child was taken away again, as its children were not known of."""
    pair.everywhere("CREATE TABLE house (id int PRIMARY KEY)")
    pair.everywhere("CREATE TABLE guest (id int PRIMARY KEY, house int REFERENCES house)")
    tables = Tables(pair.alpha, Rules({}))
    pair.enlist("house")
    tables.look()
    house = tables.get((pair.schema, "house"))
    assert house is not None
    assert tables.referring(house) == []
    pair.enlist("guest")
    tables.look()
    house = tables.get((pair.schema, "house"))
    assert house is not None
    assert [child.name for _, child in tables.referring(house)] == ["guest"]

"""Comparing two tables by ranges: what differs is found, all of it, nothing else, and with few words."""

import hashlib
from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.core import ranges
from replication.core.ranges import MOST_HELD, NOTHING, Ask, Key, Own, Part, Range, Reply, Sum, Walk
from tests.laws.states import catches

Rows = Mapping[Key, str]
Order = Callable[[Key], object]
Cut = Callable[["Side", Ask, int], Reply]


def by_text(key: Key) -> object:
    return key


def number(key: Key, value: str) -> int:
    return int.from_bytes(hashlib.sha256(repr((key, value)).encode()).digest()[:8], "big")


class Side:
    """One site's table, in an order."""

    def __init__(self, rows: Rows, order: Order = by_text) -> None:
        self.rows, self.order = rows, order
        self.keys = sorted(rows, key=order)  # type: ignore[arg-type]
        self.said = 0

    def within(self, one: Range) -> list[Key]:
        low = None if one.after is None else self.order(one.after)
        high = None if one.upto is None else self.order(one.upto)
        return [
            key
            for key in self.keys
            if (low is None or self.order(key) > low) and (high is None or self.order(key) <= high)  # type: ignore[operator]
        ]

    def sum(self, keys: Sequence[Key]) -> Sum:
        digest = 0
        for key in keys:
            digest ^= number(key, self.rows[key])
        return Sum(len(keys), digest)

    def cut(self, ask: Ask, most: int) -> Reply:
        keys = self.within(ask.range)[: ask.rows * most]
        runs = [keys[start : start + ask.rows] for start in range(0, len(keys), ask.rows)]
        self.said += len(runs)
        return Reply([Part(run[-1], self.sum(run)) for run in runs], is_whole=len(keys) < ask.rows * most)

    @property
    def own(self) -> Own:
        return Own(
            lambda wanted: [self.sum(self.within(one)) for one in wanted],
            lambda one, most: {key: number(key, self.rows[key]) for key in self.within(one)[:most]},
        )


def compare(mine: Side, theirs: Side, cut: Cut = Side.cut, most: int = 4) -> Walk:
    walk = Walk()
    while asks := walk.next(3):
        for ask in asks:
            walk.take(ask, cut(theirs, ask, most), mine.own)
    return walk


def differing(mine: Rows, theirs: Rows) -> set[Key]:
    return {key for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key)}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that small tables have many."""
    monkeypatch.setattr(ranges, "PART_ROWS", 8)
    monkeypatch.setattr(ranges, "LISTED_ROWS", 2)
    monkeypatch.setattr(ranges, "FAN_OUT", 2)


def table(count: int) -> Rows:
    return {(f"{number:05}",): "x" for number in range(count)}


keys = st.tuples(st.text("aAbB", min_size=1, max_size=3))
tables = st.dictionaries(keys, st.sampled_from("xy"), max_size=40)


def check(mine: Rows, theirs: Rows, cut: Cut = Side.cut) -> None:
    walk = compare(Side(mine), Side(theirs), cut)
    assert walk.found == differing(mine, theirs)
    assert walk.more == 0


@given(tables, tables)
def test_what_differs_is_found_and_nothing_else(mine: Rows, theirs: Rows) -> None:
    check(mine, theirs)


@given(tables, st.data())
def test_of_tables_that_are_nearly_alike_too(mine: Rows, data: st.DataObject) -> None:
    theirs = dict(mine)
    for key in data.draw(st.lists(st.sampled_from(sorted(mine)), max_size=3)) if mine else ():
        theirs.pop(key, None)
    check(mine, theirs)
    check(theirs, mine)


@given(tables, tables)
def test_where_the_other_site_orders_otherwise_nothing_is_passed_over(mine: Rows, theirs: Rows) -> None:
    """What is found beyond what differs, the look by key takes away again."""
    walk = compare(Side(mine), Side(theirs, lambda key: (key[0].lower(), key[0].swapcase())))
    assert walk.found >= differing(mine, theirs)


def _careless(side: Side, ask: Ask, most: int) -> Reply:
    """Leaves out what does not fill a part."""
    reply = side.cut(ask, most)
    return Reply([part for part in reply.parts if part.sum.rows == ask.rows], reply.is_whole)


def _forgetful(side: Side, ask: Ask, most: int) -> Reply:
    """Says that nothing follows."""
    return Reply(side.cut(ask, most).parts, is_whole=True)


def _counting(side: Side, ask: Ask, most: int) -> Reply:
    """Counts, and sums nothing: a changed value goes unseen."""
    reply = side.cut(ask, most)
    return Reply([Part(part.last, Sum(part.sum.rows, 0)) for part in reply.parts], reply.is_whole)


@pytest.mark.parametrize("twin", [_careless, _forgetful, _counting])
def test_the_law_catches_a_site_that_cuts_badly(twin: Cut) -> None:
    catches(lambda pair: check(pair[0], pair[1], twin), st.tuples(tables, tables))


def test_equal_tables_take_one_part_for_many_rows() -> None:
    rows = table(4000)
    theirs = Side(rows)
    walk = compare(Side(rows), theirs)
    assert walk.compared == 4000
    assert theirs.said == 4000 / 8


def test_few_differences_take_few_words() -> None:
    """Each costs a path from a part to its rows, not the table."""
    rows = table(4000)
    theirs = Side({**rows, ("00077",): "y", ("03999",): "y"})
    assert compare(Side(rows), theirs).found == {("00077",), ("03999",)}
    assert theirs.said < 4000 / 8 + 2 * 4 * 2


def test_a_table_that_is_missing_at_either_site_is_told_without_naming_every_row() -> None:
    rows = table(3 * MOST_HELD)
    for mine, theirs in ((rows, {}), ({}, rows)):
        walk = compare(Side(mine), Side(theirs))
        assert len(walk.found) == MOST_HELD
        assert walk.more > 0


def test_two_empty_tables_are_equal() -> None:
    walk = compare(Side({}), Side({}))
    assert (walk.found, walk.more, walk.compared) == (set(), 0, 0)
    assert Side({}).sum([]) == NOTHING

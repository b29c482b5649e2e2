"""Rows that are deleted for good: laws of `replication.core.burial`, and twins that break them."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.core.authority import Standing
from replication.core.burial import bury, is_task_of
from replication.core.merge import Row, RowRules, is_contested, lives, merge
from replication.core.rules import DELETES, Cell
from replication.core.stamps import Stamp, moment, site_of
from replication.core.writing import Writer
from tests.laws.states import catches, rows

NUMBER = 2
WRITER = Writer(NUMBER, RowRules(), lambda *_: Standing("latest", authority=False, term=0))
Bury = Callable[[Row, Writer, int], Row]

clocks = st.integers(1, 9)


def it_is_dead_under_every_rule(buries: Bury, row: Row, clock: int) -> None:
    buried = buries(row, WRITER, clock)
    assert not any(lives(buried, RowRules({}, delete)) for delete in DELETES)


def it_is_contested_no_more(buries: Bury, row: Row, clock: int) -> None:
    assert not is_contested(buries(row, WRITER, clock))


def what_travels_makes_the_same_of_the_row_elsewhere(buries: Bury, row: Row, clock: int) -> None:
    buried = buries(row, WRITER, clock)
    change = Row(row.life, 0, buried.deleted, buried.saw, cascaded=buried.cascaded)
    assert merge(row, change, RowRules()) == buried


def what_it_has_not_seen_brings_the_row_back(buries: Bury, row: Row, clock: int) -> None:
    """Under the rule that a delete loses, and, as it is later, by its stamp."""
    buried = buries(row, WRITER, clock)
    base = buried.base or moment(1, 1)
    later = moment((buried.newest >> 10) + 5, 1)
    unseen = Row(row.life, base, cells={"name": Cell(Stamp(99, 0, later), b"unseen")})
    for delete in ("loses", "stamp"):
        assert lives(merge(buried, unseen, RowRules()), RowRules({}, delete))


def who_was_deleted_by_a_person_does_not_go_with_a_parent(buries: Bury, row: Row, clock: int) -> None:
    assert buries(row, WRITER, clock).cascaded == (row.cascaded or not row.deleted)


LAWS = [
    it_is_dead_under_every_rule,
    it_is_contested_no_more,
    what_travels_makes_the_same_of_the_row_elsewhere,
    what_it_has_not_seen_brings_the_row_back,
    who_was_deleted_by_a_person_does_not_go_with_a_parent,
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_a_law_holds(law: Callable[[Bury, Row, int], None]) -> None:
    given(rows(), clocks)(lambda row, clock: law(bury, row, clock))()


def sees_nothing(row: Row, writer: Writer, clock: int) -> Row:
    return replace(bury(row, writer, clock), saw=row.saw)


def takes_its_clocks_word(row: Row, writer: Writer, clock: int) -> Row:
    return replace(bury(row, writer, clock), deleted=moment(clock, writer.number))


def forgets_the_row(row: Row, writer: Writer, clock: int) -> Row:
    return replace(bury(row, writer, clock), cells={}, base=0)


def calls_it_a_persons(row: Row, writer: Writer, clock: int) -> Row:
    return writer.delete(row, clock)


TWINS = [
    (it_is_contested_no_more, sees_nothing),
    (it_is_dead_under_every_rule, takes_its_clocks_word),
    (what_travels_makes_the_same_of_the_row_elsewhere, forgets_the_row),
    (who_was_deleted_by_a_person_does_not_go_with_a_parent, calls_it_a_persons),
]


@pytest.mark.parametrize(("law", "twin"), TWINS, ids=lambda part: part.__name__)
def test_a_broken_twin_is_caught(law: Callable[[Bury, Row, int], None], twin: Bury) -> None:
    catches(lambda row, clock: law(twin, row, clock), rows(), clocks)


@given(st.integers(1, 9), st.frozensets(st.integers(1, 9), min_size=1))
def test_it_is_one_sites_task(author: int, sites: frozenset[int]) -> None:
    at = moment(1000, author)
    [one] = [site for site in sites if is_task_of(site, at, sites)]
    assert one == author if author in sites else one == min(sites)
    assert site_of(at) == author

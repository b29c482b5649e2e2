"""Invariants 2 and 3: the merged state is a function of the set of changes. Each law must catch broken twins."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.core.merge import Row, RowRules, is_contested, lives, merge
from replication.core.rules import CELL_RULES, DELETES, Cell
from replication.core.rules.ordered import greater_stamp
from replication.core.stamps import Stamp, Stamps, cell_id, join
from sitecfg import rules as configured
from tests.laws.states import COLUMNS, catches, moments, rows, rules, stamps_of_cells

Merge = Callable[[Row, Row, RowRules], Row]


def state(row: Row) -> tuple[object, ...]:
    """What is compared: what a delete saw counts cell by cell, over the base that it is measured against."""
    seen = [row.saw.of(cell_id(name)) for name in COLUMNS]
    cells = [row.cells.get(name) for name in COLUMNS]
    return row.life, row.base, row.deleted, row.written, row.saw.base, seen, cells, row.cascaded


def check_commutative(merge_: Merge, left: Row, right: Row, by: RowRules) -> None:
    assert state(merge_(left, right, by)) == state(merge_(right, left, by))


def check_associative(merge_: Merge, some: Sequence[Row], by: RowRules) -> None:
    first, second, third = some
    assert state(merge_(merge_(first, second, by), third, by)) == state(merge_(first, merge_(second, third, by), by))


def check_idempotent(merge_: Merge, left: Row, right: Row, by: RowRules) -> None:
    once = merge_(left, right, by)
    assert state(merge_(once, right, by)) == state(once) == state(merge_(once, once, by))


def check_order_does_not_matter(merge_: Merge, some: Sequence[Row], by: RowRules) -> None:
    """Whatever the order of delivery, the same row is visible with the same values."""
    ends = set()
    for order in permutations(some):
        whole = order[0]
        for change in order[1:]:
            whole = merge_(whole, change, by)
        ends.add((lives(whole, by), repr(state(whole))))
    assert len(ends) == 1


def check_a_write_takes_no_row_away(merge_: Merge, left: Row, right: Row, by: RowRules) -> None:
    """A row that is back after a delete goes by a delete only: tombstones rely on that (core/tombstones.py)."""
    write = replace(right, life=left.life, deleted=0, saw=Stamps(0))
    if lives(left, by):
        assert lives(merge_(left, write, by), by)


def check_only_the_contested_depend_on_the_delete_rule(contested: Callable[[Row], bool], row: Row) -> None:
    """So all others may be forgotten under any of the rules, whichever comes next."""
    ends = {lives(row, RowRules({}, delete)) for delete in DELETES}
    assert len(ends) == 1 or contested(row)


three_rows = st.lists(rows(), min_size=3, max_size=3)


@given(rows(), rows(), rules)
def test_merge_is_commutative(left: Row, right: Row, by: RowRules) -> None:
    check_commutative(merge, left, right, by)


@given(three_rows, rules)
def test_merge_is_associative(some: list[Row], by: RowRules) -> None:
    check_associative(merge, some, by)


@given(rows(), rows(), rules)
def test_merge_is_idempotent(left: Row, right: Row, by: RowRules) -> None:
    check_idempotent(merge, left, right, by)


@given(three_rows, rules)
def test_every_order_of_delivery_ends_in_the_same_row(some: list[Row], by: RowRules) -> None:
    check_order_does_not_matter(merge, some, by)


@given(rows(), rows(), rules)
def test_no_write_takes_a_row_away(left: Row, right: Row, by: RowRules) -> None:
    check_a_write_takes_no_row_away(merge, left, right, by)


@given(rows())
def test_only_contested_rows_depend_on_the_delete_rule(row: Row) -> None:
    check_only_the_contested_depend_on_the_delete_rule(is_contested, row)


# -- the twins ---------------------------------------------------------------------------------------------------------


def _cells(left: Row, right: Row, choose: Callable[[Cell, Cell], Cell]) -> dict[str, Cell]:
    both = dict(left.cells)
    for name, cell in right.cells.items():
        both[name] = choose(both[name], cell) if name in both else cell
    return both


def last_arrival_wins(left: Row, right: Row, by: RowRules) -> Row:
    return replace(merge(left, right, by), cells={**left.cells, **right.cells})


def latest_without_its_site(left: Row, right: Row, by: RowRules) -> Row:
    """Equal clock readings of two sites tie."""
    return replace(
        merge(left, right, by),
        cells=_cells(left, right, lambda mine, its: its if its.stamp.moment >> 10 > mine.stamp.moment >> 10 else mine),
    )


def headquarters_unless_older(left: Row, right: Row, by: RowRules) -> Row:
    """Priority without an epoch: site 1 beats all but what is two steps newer."""

    def choose(mine: Cell, its: Cell) -> Cell:
        newer, older = (mine, its) if mine.stamp.moment > its.stamp.moment else (its, mine)
        close = (newer.stamp.moment >> 10) - (older.stamp.moment >> 10) < 2
        return older if close and older.stamp.moment & 1023 == 1 else newer

    merged = merge(left, right, by)
    return replace(merged, cells=_cells(left, right, choose)) if left.life == right.life else merged


def the_delete_that_came_last(left: Row, right: Row, by: RowRules) -> Row:
    return replace(merge(left, right, by), saw=right.saw if right.deleted else left.saw)


def cells_that_forget_under_a_tombstone(left: Row, right: Row, by: RowRules) -> Row:
    merged = merge(left, right, by)
    return replace(merged, cells=dict(left.cells)) if left.deleted else merged


def values_that_add_up(left: Row, right: Row, by: RowRules) -> Row:
    def add(mine: Cell, its: Cell) -> Cell:
        return Cell(max(mine.stamp, its.stamp), b"%d" % (int(mine.value or 0) + int(its.value or 0)))

    merged = merge(left, right, by)
    return replace(merged, cells=_cells(left, right, add)) if left.life == right.life else merged


def nothing_heard_of_what_lost(left: Row, right: Row, by: RowRules) -> Row:
    return replace(merge(left, right, by), heard=0)


CAUGHT = [
    (check_commutative, last_arrival_wins),
    (check_commutative, latest_without_its_site),
    (check_commutative, the_delete_that_came_last),
    (check_commutative, cells_that_forget_under_a_tombstone),
    (check_idempotent, values_that_add_up),
]


@pytest.mark.parametrize(("law", "twin"), CAUGHT, ids=lambda part: part.__name__)
def test_the_laws_of_two_rows_catch_a_broken_merge(law: Callable[..., None], twin: Merge) -> None:
    catches(lambda left, right, by: law(twin, left, right, by), rows(), rows(), rules)


def edited_later(row: Row) -> bool:
    return bool(row.deleted) and any(cell.stamp.moment > row.deleted for cell in row.cells.values())


@pytest.mark.parametrize("twin", [edited_later, lambda row: row.base > row.saw.base])
def test_the_law_of_contested_rows_catches_who_looks_at_one_rule(twin: Callable[[Row], bool]) -> None:
    catches(lambda row: check_only_the_contested_depend_on_the_delete_rule(twin, row), rows())


one_cell = moments.map(lambda at: Row(1, 1, cells={"name": Cell(Stamp(0, 0, at), b"%d" % at)}))


@pytest.mark.parametrize("law", [check_associative, check_order_does_not_matter])
def test_the_laws_of_three_rows_catch_a_priority_without_an_epoch(law: Callable[..., None]) -> None:
    some = st.lists(one_cell, min_size=3, max_size=3)
    catches(lambda three, by: law(headquarters_unless_older, three, by), some, rules)


edited_cell = stamps_of_cells.map(lambda stamp: {"name": Cell(stamp, b"%d" % stamp.moment)})
edited_row = st.builds(Row, st.just(1), st.just(1), moments, st.just(Stamps(1)), edited_cell)


def test_the_law_of_rows_that_are_back_catches_a_merge_that_forgets_what_lost() -> None:
    law = partial(check_a_write_takes_no_row_away, nothing_heard_of_what_lost)
    catches(lambda left, right: law(left, right, RowRules()), edited_row, edited_row)


# -- what the rules mean -----------------------------------------------------------------------------------------------


def row(base: int, deleted: int = 0, saw: int = 0, **cells: int) -> Row:
    """Moments by column; a value is its moment's text."""
    return Row(1, base, deleted, Stamps(saw), {name: Cell(Stamp(0, 0, at), b"%d" % at) for name, at in cells.items()})


@pytest.mark.parametrize(
    ("rule", "edited_at", "deleted_at", "visible"),
    [
        ("wins", 9, 5, False),
        ("loses", 3, 5, True),
        ("stamp", 9, 5, True),
        ("stamp", 3, 5, False),
        ("loses", 1, 5, False),
    ],
)
def test_a_delete_against_an_edit_that_it_did_not_see(
    rule: str, edited_at: int, deleted_at: int, visible: bool
) -> None:
    """The delete saw everything up to 2."""
    by = RowRules({}, rule)
    merged = merge(row(1, name=edited_at), row(1, deleted_at, saw=2, name=1), by)
    assert lives(merged, by) is visible


def test_an_update_before_its_insert_is_not_visible_and_not_lost() -> None:
    update = row(0, name=5)
    by = RowRules()
    assert not lives(update, by)
    whole = merge(update, row(2, name=2, phone=2), by)
    assert lives(whole, by)
    assert whole.cells["name"].value == b"5"


def test_a_row_inserted_after_its_deletion_owes_nothing_to_its_earlier_life() -> None:
    later = replace(row(9, name=9), life=2)
    assert merge(row(1, 5, saw=1, phone=20), later, RowRules()) == later


def test_equal_stamps_with_different_values_are_settled_by_their_bytes() -> None:
    """Rows that were there before replication, at the bottom stamp."""
    low, high, null = (Cell(Stamp(0, 0, 1), value) for value in (b"a", b"b", None))
    assert greater_stamp(low, high) == greater_stamp(high, low) == high
    assert greater_stamp(null, low) == greater_stamp(low, null) == low


def test_the_rules_are_those_that_a_configuration_can_name() -> None:
    assert set(CELL_RULES) == set(configured.COLUMN_RULES)
    assert set(DELETES) == set(configured.DELETE_RULES)


def test_who_was_deleted_by_a_person_too_was_not_deleted_with_a_parent_alone() -> None:
    by = RowRules()
    alone, cascaded = row(1, 5, saw=1), replace(row(1, 6, saw=1), cascaded=True)
    assert merge(cascaded, row(1), by).cascaded
    assert merge(cascaded, cascaded, by).cascaded
    assert not merge(cascaded, alone, by).cascaded


def test_what_a_delete_saw_is_joined_cell_by_cell() -> None:
    cell = cell_id("name")
    left, right = Stamps(5, 0, 1, {cell: Stamp(0, 0, 9)}), Stamps(7)
    assert join(left, right).of(cell) == Stamp(0, 0, 9)
    assert join(left, right).base == 7

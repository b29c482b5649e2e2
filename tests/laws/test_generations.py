"""A rule that is changed while the sites run: what is written later wins whole, and who has which rule does not matter.

Sites write one cell and hear of each other, and each of them gets the new rule at some point of its own (pitfall P13).
Each law must catch broken twins of :class:`RowRules`.
"""

from collections.abc import Callable, Sequence
from itertools import permutations, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.core.merge import RowRules
from replication.core.rules import CELL_RULES, Cell, Write
from replication.core.stamps import Stamp, moment
from tests.laws.histories import BASE, SITES, Step, newest
from tests.laws.states import catches

Kinds = tuple[str, ...]
NUMBERS = (b"0.00", b"5.00", b"-3.00", b"12.50")
LISTS = (b"{}", b"{a}", b"{a,b}", b"{b,c}")
OF_NUMBERS = ("latest", "site", "counter", "greatest", "least", "frozen")
OF_LISTS = ("latest", "set", "append")
CHANGES: list[tuple[Kinds, Sequence[bytes]]] = [
    *((pair, NUMBERS) for pair in product(OF_NUMBERS, repeat=2)),
    *((pair, LISTS) for pair in product(OF_LISTS, repeat=2) if "set" in pair),
    (("latest", "append"), NUMBERS),
    (("append", "latest", "append"), NUMBERS),
    (("latest", "counter", "latest"), NUMBERS),
    (("counter", "latest", "counter"), NUMBERS),
    (("set", "append", "set"), LISTS),
]
ALL_CHANGE: list[Step] = [("change", site, None) for site in SITES]


def steps(values: Sequence[bytes]) -> st.SearchStrategy[list[Step]]:
    """Histories of a cell whose rule is changed: a third of all steps each are a write, a hearing and a change."""
    writes, hearings = product(["write"], SITES, values), product(["hear"], SITES, SITES)
    return st.lists(st.sampled_from([*writes, *hearings, *ALL_CHANGE * 4]), max_size=12)


def rules_of(by: type[RowRules], kinds: Kinds, version: int) -> RowRules:
    return by({"c": kinds[version]}, "stamp", {"c": kinds[:version]})


def play(by: type[RowRules], kinds: Kinds, history: Sequence[Step], first: bytes) -> dict[int, tuple[RowRules, Cell]]:
    """What each site has in the end, and by which rules."""
    versions = dict.fromkeys(SITES, 0)
    born = Cell(Stamp(0, 0, BASE), first, CELL_RULES[kinds[0]].unfold({}, first, BASE))
    held = dict.fromkeys(SITES, born)
    for number, (kind, site, what) in enumerate(history):
        rules = rules_of(by, kinds, versions[site])
        if kind == "change":
            versions[site] = min(versions[site] + 1, len(kinds) - 1)
        elif kind == "hear":
            if held[what].stamp.generation <= versions[site]:
                held[site] = rules.join("c", held[site], held[what])
        elif may_write(rules, held[site], what):
            held[site] = rules.write("c", held[site], Write(what, at(held[site], 10 + number, site), site == 1))
    return {site: (rules_of(by, kinds, versions[site]), cell) for site, cell in held.items()}


def may_write(rules: RowRules, cell: Cell, value: bytes) -> bool:
    return value != cell.value and not (rules.of("c") == "frozen" and cell.value is not None)


def at(cell: Cell, clock: int, site: int) -> int:
    return moment(max(clock, (newest(cell) >> 10) + 1), site)


Law = Callable[[type[RowRules], Kinds, list[Step], Sequence[bytes]], None]


def check_join(by: type[RowRules], kinds: Kinds, history: list[Step], values: Sequence[bytes]) -> None:
    """Commutative, associative, idempotent."""
    join = _join(rules_of(by, kinds, len(kinds) - 1))
    a, b, c = (cell for _, cell in play(by, kinds, history, values[0]).values())
    assert join(a, b) == join(b, a)
    assert join(join(a, b), c) == join(a, join(b, c))
    assert join(a, a) == a
    assert join(join(a, b), b) == join(a, b)


def _join(rules: RowRules) -> Callable[[Cell, Cell], Cell]:
    return lambda left, right: rules.join("c", left, right)


def check_it_does_not_matter_who_has_the_new_rule(
    by: type[RowRules], kinds: Kinds, history: list[Step], values: Sequence[bytes]
) -> None:
    """Two states meet alike at every site that may hold them."""
    cells = [cell for _, cell in play(by, kinds, history, values[0]).values()]
    for left, right in product(cells, repeat=2):
        oldest = max(left.stamp.generation, right.stamp.generation)
        joined = [_join(rules_of(by, kinds, version))(left, right) for version in range(oldest, len(kinds))]
        assert all(one == joined[0] for one in joined)


def check_every_order_of_hearing_ends_alike(
    by: type[RowRules], kinds: Kinds, history: list[Step], values: Sequence[bytes]
) -> None:
    join, ends = _join(rules_of(by, kinds, len(kinds) - 1)), []
    for order in permutations(cell for _, cell in play(by, kinds, history, values[0]).values()):
        whole = order[0]
        for other in order[1:]:
            whole = join(whole, other)
        ends.append(whole)
    assert all(end == ends[0] for end in ends)


def check_a_later_generation_wins_whole(
    by: type[RowRules], kinds: Kinds, history: list[Step], values: Sequence[bytes]
) -> None:
    join = _join(rules_of(by, kinds, len(kinds) - 1))
    cells = [cell for _, cell in play(by, kinds, history, values[0]).values()]
    for left, right in product(cells, repeat=2):
        if left.stamp.generation > right.stamp.generation:
            assert join(left, right) == join(right, left) == left
            assert left.stamp > right.stamp, "what a delete saw is measured by stamps alone"


def check_write_shows_the_joined_state(
    by: type[RowRules], kinds: Kinds, history: list[Step], values: Sequence[bytes]
) -> None:
    for site, (rules, before) in play(by, kinds, history, values[0]).items():
        for value in values:
            if may_write(rules, before, value):
                after = rules.write("c", before, Write(value, at(before, 0, site), site == 1))
                assert after.value == value
                assert after.stamp.generation == rules.generation("c")
                assert rules.join("c", before, after) == rules.join("c", after, after) == after


def check_folding(by: type[RowRules], kinds: Kinds, history: list[Step], values: Sequence[bytes]) -> None:
    for rules, cell in play(by, kinds, history, values[0]).values():
        folded = rules.fold("c", cell, BASE)
        assert rules.unfold("c", folded, cell.value, BASE, cell.stamp.generation) == cell.parts


LAWS: list[Law] = [
    check_join,
    check_it_does_not_matter_who_has_the_new_rule,
    check_every_order_of_hearing_ends_alike,
    check_a_later_generation_wins_whole,
    check_write_shows_the_joined_state,
    check_folding,
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__.removeprefix("check_"))
@pytest.mark.parametrize(("kinds", "values"), CHANGES, ids=lambda part: "-".join(part) if part[0] in CELL_RULES else "")
def test_the_law_holds(kinds: Kinds, values: Sequence[bytes], law: Law) -> None:
    given(steps(values))(lambda history: law(RowRules, kinds, history, values))()


# -- the twins ---------------------------------------------------------------------------------------------------------


class JoinsOldOnesByTheNewRule(RowRules):
    """A later generation wins, and two states of an earlier one are joined by the rule of today."""

    def join(self, column: str, left: Cell, right: Cell) -> Cell:
        if left.stamp.generation != right.stamp.generation:
            return max(left, right, key=lambda cell: cell.stamp.generation)
        return CELL_RULES[self.of(column)].join(left, right)


class JoinsByTheStampOrTheRule(RowRules):
    """The stamp's generation counts where the rule looks at stamps, and nowhere else."""

    def join(self, column: str, left: Cell, right: Cell) -> Cell:
        return CELL_RULES[self.of(column)].join(left, right)


class GoesOnFromTheOldState(RowRules):
    """A generation does not begin with what was shown."""

    def _begun(self, column: str, before: Cell) -> Cell:
        return before


class ForgetsItsGeneration(RowRules):
    """Writes as if the rule had never been another."""

    def write(self, column: str, before: Cell, write: Write, by: str = "") -> Cell:
        after = super().write(column, before, write, by)
        return after._replace(stamp=after.stamp.in_generation(0))


TWINS: list[tuple[Law, type[RowRules], Kinds]] = [
    (check_it_does_not_matter_who_has_the_new_rule, JoinsOldOnesByTheNewRule, ("latest", "greatest")),
    (check_a_later_generation_wins_whole, JoinsByTheStampOrTheRule, ("latest", "greatest")),
    (check_a_later_generation_wins_whole, JoinsByTheStampOrTheRule, ("greatest", "least")),
    (check_write_shows_the_joined_state, GoesOnFromTheOldState, ("latest", "counter")),
    (check_write_shows_the_joined_state, ForgetsItsGeneration, ("greatest", "latest")),
]


@pytest.mark.parametrize(("law", "twin", "kinds"), TWINS)
def test_a_broken_twin_is_caught(law: Law, twin: type[RowRules], kinds: Kinds) -> None:
    catches(lambda history: law(twin, kinds, history, NUMBERS), steps(NUMBERS))


# -- what it means -----------------------------------------------------------------------------------------------------


def everywhere(kinds: Kinds, history: list[Step], first: bytes = b"0.00") -> Any:
    join = _join(rules_of(RowRules, kinds, len(kinds) - 1))
    a, b, c = (cell for _, cell in play(RowRules, kinds, history, first).values())
    return join(join(a, b), c).value


@pytest.mark.parametrize(
    ("kinds", "history", "value"),
    [
        # The value shown is the base from which is counted on, and both sites' changes count.
        (("latest", "counter"), [*ALL_CHANGE, ("write", 1, b"5.00"), ("write", 2, b"-3.00")], b"2.00"),
        # What is written under the old rule, by who has not heard of the new one, loses, however late it is.
        (("latest", "counter"), [("change", 1, None), ("write", 1, b"5.00"), ("write", 2, b"12.50")], b"5.00"),
        # As long as nobody has written under the new rule, the old one settles what was written under it.
        (("greatest", "latest"), [*ALL_CHANGE[:1], ("write", 2, b"12.50"), ("write", 3, b"5.00")], b"12.50"),
        (("counter", "latest"), [("write", 2, b"5.00"), ("write", 3, b"12.50"), *ALL_CHANGE], b"17.50"),
        # Site 1 had the authority, and has it no more: its epochs count for nothing in the new generation.
        (
            ("site", "latest"),
            [("write", 1, b"5.00"), ("write", 1, b"-3.00"), *ALL_CHANGE, ("write", 2, b"12.50")],
            b"12.50",
        ),
    ],
)
def test_what_is_shown_everywhere(kinds: Kinds, history: list[Step], value: bytes) -> None:
    assert everywhere(kinds, history) == value


def test_two_that_begin_a_counter_from_different_values_begin_from_the_later_one() -> None:
    history: list[Step] = [
        ("write", 2, b"12.50"),  # site 1 has not heard of it
        *ALL_CHANGE,
        ("write", 1, b"5.00"),
        ("write", 2, b"12.51"),
    ]
    assert everywhere(("latest", "counter"), history) == b"17.51"

"""Every rule of the registry is a lattice, a local write shows what the joined state shows, and folding loses nothing.

Each law must catch a broken twin of the rules that it guards.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.core.rules import CELL_RULES, Cell, Rule, Write
from replication.core.rules.fragments import APPEND
from replication.core.rules.magnitude import magnitude
from replication.core.stamps import Stamp, moment
from tests.laws.histories import BASE, SITES, Step, born, first_value, newest, play, steps
from tests.laws.states import catches

RULES = sorted(CELL_RULES)
OLDEST = b"0044-03-15 00:00:00 BC"


def check_join(name: str, rule: Rule, history: list[Step]) -> None:
    """Commutative, associative, idempotent."""
    a, b, c = play(name, history, rule).values()
    assert rule.join(a, b) == rule.join(b, a)
    assert rule.join(rule.join(a, b), c) == rule.join(a, rule.join(b, c))
    assert rule.join(a, a) == a
    assert rule.join(rule.join(a, b), b) == rule.join(a, b)


def check_write_shows_the_joined_state(name: str, rule: Rule, history: list[Step]) -> None:
    """A write is above what it saw: its own site shows what every other will once it has heard of it."""
    for site, before in play(name, history, rule).items():
        for value in {cell.value for cell in play(name, history, rule).values()} | {first_value(name)}:
            if value == before.value or (name == "frozen" and before.value is not None):
                continue
            after = rule.write(before, Write(value, moment((newest(before) >> 10) + 1, site), authority=site == 1))
            assert rule.join(before, after) == after


def check_every_order_of_hearing_ends_alike(name: str, rule: Rule, history: list[Step]) -> None:
    ends = []
    for order in permutations(play(name, history, rule).values()):
        whole = order[0]
        for other in order[1:]:
            whole = rule.join(whole, other)
        ends.append(whole)
    assert all(end == ends[0] for end in ends)


def check_folding(name: str, rule: Rule, history: list[Step]) -> None:
    """What is kept beside the row gives the parts back, wherever the row's base comes from."""
    for cell in play(name, history, rule).values():
        assert rule.unfold(rule.fold(cell.parts, cell.value, BASE), cell.value, BASE) == cell.parts


LAWS = [check_join, check_write_shows_the_joined_state, check_every_order_of_hearing_ends_alike, check_folding]
Law = Callable[[str, Rule, list[Step]], None]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__.removeprefix("check_"))
@pytest.mark.parametrize("name", RULES)
def test_the_law_holds(name: str, law: Law) -> None:
    given(steps(name))(lambda history: law(name, CELL_RULES[name], history))()


# -- the twins ---------------------------------------------------------------------------------------------------------


def _no_epoch(before: Cell, write: Write) -> Cell:
    return Cell(Stamp(0, 0, write.at), write.value)


def _sum_of_arrivals(left: Cell, right: Cell) -> Cell:
    return Cell(max(left.stamp, right.stamp), left.value, {**left.parts, **right.parts})


def _without_the_removals(cell: Cell, write: Write) -> Cell:
    after = CELL_RULES["set"].write(cell, write)
    return after._replace(parts={key: part for key, part in after.parts.items() if key[0] == "+"})


def _longer_text(left: Cell, right: Cell) -> Cell:
    return max(left, right, key=lambda cell: len(cell.value or b""))


def _in_order_of_arrival(left: Cell, right: Cell) -> Cell:
    joined = APPEND.join(left, right)
    return joined._replace(value=(left.value or b"") + (right.value or b""))


TWINS: list[tuple[str, Law, Rule]] = [
    ("greatest", check_write_shows_the_joined_state, replace(CELL_RULES["greatest"], write=_no_epoch)),
    ("counter", check_join, replace(CELL_RULES["counter"], join=_sum_of_arrivals)),
    ("set", check_write_shows_the_joined_state, replace(CELL_RULES["set"], write=_without_the_removals)),
    ("append", check_join, replace(APPEND, join=_longer_text)),
    ("append", check_every_order_of_hearing_ends_alike, replace(APPEND, join=_in_order_of_arrival)),
    ("append", check_folding, replace(APPEND, fold=lambda parts, value, base: {})),
    ("site", check_write_shows_the_joined_state, replace(CELL_RULES["site"], join=CELL_RULES["frozen"].join)),
]


@pytest.mark.parametrize(("name", "law", "twin"), TWINS)
def test_a_broken_twin_is_caught(name: str, law: Law, twin: Rule) -> None:
    catches(lambda history: law(name, twin, history), steps(name))


# -- what the rules mean -----------------------------------------------------------------------------------------------


def everywhere(name: str, history: list[Step]) -> bytes | None:
    """The value once every site has heard of every other."""
    a, b, c = play(name, history).values()
    return CELL_RULES[name].join(CELL_RULES[name].join(a, b), c).value


@pytest.mark.parametrize(
    ("name", "history", "value"),
    [
        ("latest", [("write", 1, b"b"), ("write", 2, None)], None),
        ("site", [("write", 1, b"b"), ("write", 2, None)], b"b"),
        ("site", [("write", 1, b"b"), ("hear", 2, 1), ("write", 2, None)], None),
        ("counter", [("write", 1, b"5.00"), ("write", 2, b"-3.00"), ("write", 1, b"12.50")], b"9.50"),
        ("counter", [("write", 1, b"5.00"), ("hear", 2, 1), ("write", 2, b"0.00"), ("write", 1, b"12.50")], b"7.50"),
        ("set", [("write", 1, b"{a}"), ("write", 2, b"{b,c}")], b"{a,b,c}"),
        ("set", [("write", 1, b"{a}"), ("hear", 2, 1), ("write", 2, b"{}"), ("write", 3, b"{a}")], b"{a}"),
        ("set", [("write", 1, b"{a}"), ("hear", 2, 1), ("write", 2, b"{}")], b"{}"),
        ("append", [("write", 1, b"a"), ("write", 2, b"x")], b"ax"),
        ("append", [("write", 1, b"a"), ("hear", 2, 1), ("write", 2, b"ab"), ("write", 1, b"x")], b"bx"),
        ("greatest", [("write", 1, b"10"), ("write", 2, b"9.5")], b"10"),
        ("greatest", [("write", 1, b"10"), ("hear", 2, 1), ("write", 2, b"9.5"), ("write", 3, b"10")], b"9.5"),
        (
            "least",
            [("write", 1, b"0044-03-15 00:00:00 BC"), ("write", 2, b"2016-02-29 00:00:00")],
            b"0044-03-15 00:00:00 BC",
        ),
    ],
)
def test_what_is_shown_everywhere(name: str, history: list[Step], value: bytes | None) -> None:
    assert everywhere(name, history) == value


def test_of_two_first_values_of_a_frozen_cell_the_earlier_one_stays() -> None:
    frozen, unset = CELL_RULES["frozen"], born(CELL_RULES["frozen"], None)
    early, late = (frozen.write(unset, Write(value, moment(at, at))) for value, at in ((b"1", 10), (b"2", 11)))
    assert frozen.join(early, late) == frozen.join(late, early) == early


@given(st.lists(st.tuples(st.sampled_from(SITES), st.integers(-99, 99)), max_size=12))
def test_a_counter_is_the_exact_sum_of_what_was_counted_anywhere(counted: list[tuple[int, int]]) -> None:
    counter = CELL_RULES["counter"]
    held = dict.fromkeys(SITES, born(counter, b"0.00"))
    for number, (site, change) in enumerate(counted):
        shown = int((held[site].value or b"").split(b".")[0]) + change
        held[site] = counter.write(held[site], Write(b"%d.00" % shown, moment(10 + number, site)))
    a, b, c = held.values()
    whole = counter.join(counter.join(a, b), c)
    assert counter.join(whole, b).value == whole.value == b"%d.00" % sum(change for _, change in counted)


@pytest.mark.parametrize(
    "ascending",
    [
        [b"-infinity", b"0044-03-15 BC", b"0001-01-01", b"2017-12-31", b"infinity"],
        [b"2017-03-01 09:00:00", b"2017-03-01 09:00:00.25", b"2017-03-01 09:00:00.5", b"10000-01-01 00:00:00"],
        [b"2017-03-01 09:00:00+00", b"2017-03-01 09:00:01+00"],
        [b"-Infinity", b"-12.5", b"-2", b"0", b"0.30", b"12345678901234567890", b"Infinity", b"NaN"],
    ],
)
def test_magnitudes_are_in_postgresqls_order(ascending: list[bytes]) -> None:
    assert all(magnitude(low) < magnitude(high) for low, high in pairwise(ascending))

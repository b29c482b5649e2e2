"""Invariants 1 and 2: nothing is skipped, nothing takes effect twice, and what cannot be compared is not."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.core.progress import Position, Step, adopt, format_lsn, parse_lsn, stable, step
from tests.laws.states import catches

lsns = st.integers(0, 2**64 - 1)
Decide = Callable[[int | None, int, int], Step]


@st.composite
def deliveries(draw: st.DrawFn) -> list[tuple[int, int]]:
    """A log's messages, some lost, some again, in any order, cut anew by a rebuilt log."""
    cuts = sorted(draw(st.sets(st.integers(1, 12), min_size=1, max_size=8)))
    again = sorted(draw(st.sets(st.integers(1, 12), min_size=1, max_size=8)))
    log = [*zip([0, *cuts], cuts, strict=False), *zip([0, *again], again, strict=False)]
    return draw(st.lists(st.sampled_from(log), max_size=12))


def check_nothing_is_skipped(decide: Decide, arrivals: list[tuple[int, int]]) -> None:
    """What is applied up to the position is every change up to it."""
    position, applied = 0, set[int]()
    for from_lsn, to_lsn in arrivals:
        if decide(position, from_lsn, to_lsn) is Step.APPLY:
            applied.update(range(from_lsn + 1, to_lsn + 1))
            assert to_lsn > position, "the position never goes back"
            position = to_lsn
        assert applied == set(range(1, position + 1))


@given(deliveries())
def test_whatever_arrives_nothing_is_skipped(arrivals: list[tuple[int, int]]) -> None:
    check_nothing_is_skipped(step, arrivals)


def _forgiving(position: int | None, from_lsn: int, to_lsn: int) -> Step:
    return Step.APPLY if to_lsn > (position or 0) else Step.DUPLICATE


def _eager(position: int | None, from_lsn: int, to_lsn: int) -> Step:
    return Step.APPLY if from_lsn <= (position or 0) else Step.GAP


@pytest.mark.parametrize("twin", [_forgiving, _eager])
def test_the_law_catches_a_reader_that_skips_or_goes_back(twin: Decide) -> None:
    catches(lambda some: check_nothing_is_skipped(twin, some), deliveries())


def test_a_reader_without_a_position_has_a_gap() -> None:
    assert step(None, 0, 10) is Step.GAP


def test_positions_carry_over_within_a_lineage_only() -> None:
    lineage = [("first", 10), ("second", 50)]
    assert adopt(None, lineage) == 10
    assert adopt(Position("first", 70, 1, 1), lineage) == 70
    assert adopt(Position("of a database restored", 70, 1, 1), lineage) is None
    assert adopt(None, []) is None


@given(st.lists(st.none() | lsns))
def test_what_all_have_applied_is_known_only_when_all_have_spoken(applied: list[int | None]) -> None:
    known = stable(applied)
    if known is None:
        assert not applied or None in applied
    else:
        assert all(lsn is not None and lsn >= known for lsn in applied)


@given(lsns)
def test_lsns_are_spelled_as_postgresql_does(lsn: int) -> None:
    assert parse_lsn(format_lsn(lsn)) == lsn
    assert format_lsn(0x16_B374D848) == "16/B374D848"

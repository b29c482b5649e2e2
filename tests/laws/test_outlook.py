"""How long catching up will take is said only where it is known (replication/status/outlook.py)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.status.outlook import UNKNOWN, Outlook, Sample, look_ahead
from replication.status.views import LinkView, State

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STATES: tuple[State, ...] = ("up", "late", "cut", "stopped", "unknown")

counts = st.none() | st.integers(0, 10**9)
samples = st.lists(st.builds(Sample, st.timedeltas(-timedelta(hours=1), timedelta(0)).map(NOW.__add__), counts, counts))


def ago(seconds: float, backlog: int | None, applied: int | None) -> Sample:
    return Sample(NOW - timedelta(seconds=seconds), backlog, applied)


def link(state: State, backlog: int | None, applied: int | None) -> LinkView:
    return LinkView("us", "taipei", state, 60.0, None, backlog, None, None, NOW, applied_changes=applied)


def test_a_backlog_that_shrinks_evenly_ends_when_it_says() -> None:
    past = [ago(120, 12_000, 0), ago(90, 9_000, 4_500), ago(30, 3_000, 13_500)]
    assert look_ahead(link("late", 2_000, 15_000), past) == Outlook(125.0, 2_000 * 120 / 10_000)


def test_what_was_before_the_line_was_mended_does_not_count() -> None:
    """For four minutes the backlog grew; since half a minute it shrinks by a hundred a second."""
    past = [ago(270, 0, 100), ago(150, 3_000, 100), ago(30, 6_000, 100)]
    assert look_ahead(link("late", 3_000, 6_100), past).catch_up_seconds == pytest.approx(30)


def test_a_backlog_that_does_not_shrink_is_said_to_grow() -> None:
    assert look_ahead(link("late", 900, 50), [ago(60, 800, 20)]) == Outlook(0.5, None, grows=True)


def test_with_nothing_waiting_nothing_is_to_catch_up() -> None:
    assert look_ahead(link("up", 0, 50), []) == Outlook(None, 0.0)


def test_without_samples_it_is_not_known() -> None:
    assert look_ahead(link("late", 900, 50), []) == UNKNOWN
    assert look_ahead(link("late", 900, 50), [ago(3600, 1_000, 0), ago(1, 950, 40)]) == UNKNOWN


def test_a_log_that_was_begun_anew_has_no_rate() -> None:
    assert look_ahead(link("late", 900, 50), [ago(60, 1_000, 7_000)]).rate is None


@given(state=st.sampled_from(STATES), backlog=counts, applied=counts, past=samples)
def test_no_outlook_is_negative_and_none_is_given_of_a_link_that_is_not_heard(
    state: State, backlog: int | None, applied: int | None, past: list[Sample]
) -> None:
    outlook = look_ahead(link(state, backlog, applied), sorted(past, key=lambda sample: sample.at))
    assert all(figure is None or figure >= 0 for figure in (outlook.rate, outlook.catch_up_seconds))
    assert not (outlook.grows and outlook.catch_up_seconds is not None)
    if state not in ("up", "late"):
        assert outlook == UNKNOWN

"""What is said of a link, from what is known of it and how old that is (replication/status/judge.py)."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from replication.status import judge
from replication.status.judge import Head, Incoming, Said

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIFTEEN_SECONDS = 15.0
"""After so long nobody takes a site that stands still for one that works."""

ages = st.floats(0, 60)


def _ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def _said(heard: float, moved: float, waiting: int) -> Said:
    """The reader spoke and its position moved so many seconds ago; so many changes of the origin wait."""
    return Said("us", "taipei", 10, 100 - waiting, _ago(moved), _ago(heard), _ago(max(heard, moved)))


@given(heard=ages, moved=ages, waiting=st.integers(0, 5))
def test_a_word_that_is_old_or_a_position_that_stands_still_is_never_up(
    heard: float, moved: float, waiting: int
) -> None:
    """A reader's word comes within three seconds of its position's move: twelve are left to notice. Of a reader that
    does not speak it is not known whether its position moves."""
    link = judge.said(_said(heard, moved, waiting), Head(10, 100), NOW)
    speaks = heard <= judge.SILENT_SECONDS["live"]
    if heard > FIFTEEN_SECONDS - 3 or (speaks and moved > FIFTEEN_SECONDS - 3):
        assert link.state != "up"


@given(heard=st.floats(0, 3), moved=st.floats(0, 6))
def test_one_that_speaks_and_moves_is_up(heard: float, moved: float) -> None:
    assert judge.said(_said(heard, moved, 0), Head(10, 100), NOW).state == "up"


def test_one_that_stands_still_behind_a_long_message_is_late_before_it_is_cut() -> None:
    states = [judge.said(_said(1, moved, 1), Head(10, 100), NOW).state for moved in (7, 9, 12, 14)]
    assert states == ["up", "late", "late", "cut"]


@given(waiting=st.integers(0, 5), idle=st.floats(0, 50_000), complete=st.floats(0, 9))
def test_what_is_written_after_a_quiet_night_is_not_a_night_late(waiting: int, idle: float, complete: float) -> None:
    at = Incoming(
        "us",
        "running",
        heard_at=_ago(0),
        lsn=10,
        commit_time=_ago(complete + idle),
        published_at=_ago(complete),
        complete_at=_ago(complete),
        changes=100 - waiting,
    )
    link = judge.incoming("taipei", at, Head(10, 100), NOW)
    assert link.lag_seconds is not None
    assert abs(link.lag_seconds - complete) < 1e-3
    assert link.state == "up"

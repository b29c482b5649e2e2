"""Where a reader begins, and looks again: a stored offset is only a hint."""

from datetime import UTC, datetime, timedelta

from replication.apply.whence import Whence
from replication.core.progress import Position
from replication.errors import PositionLostError, TransientError
from replication.postgres.applying import Place

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
HERE = "us"
STREAM, OTHER = "taipei.live", "taipei.packed"


def place(lsn: int = 100, stream: str = STREAM) -> Place:
    return Place(Position("token", lsn, 1, 0), 0, stream, 42, NOW)


def test_it_begins_where_the_stream_was_left_or_at_about_that_time_in_the_other() -> None:
    assert Whence(HERE).offset(STREAM, place()) == 42
    assert Whence(HERE).offset(OTHER, place()) == NOW - timedelta(minutes=1)
    assert Whence(HERE).offset(STREAM, None) == "first"


def test_what_is_missing_is_looked_for_further_back_each_time_and_is_lost_in_the_end() -> None:
    whence, seen = Whence(HERE), []
    for _ in range(3):
        offset = whence.offset(STREAM, place())
        fault = whence.again(offset, "a part is missing")
        seen.append((offset, type(fault)))
    assert seen == [
        (42, TransientError),
        (NOW - timedelta(minutes=1), TransientError),
        ("first", PositionLostError),
    ]


def test_what_was_lost_is_not_looked_for_again_until_the_log_or_the_position_is_another() -> None:
    whence = Whence(HERE)
    for _ in range(3):
        fault = whence.again(whence.offset(STREAM, place()), "a part is missing")
    assert str(fault) == "a part is missing: us must be seeded again. Next: python -m replication rejoin us"
    assert whence.offset(STREAM, place()) == 42
    assert isinstance(whence.again(42, "a part is missing"), PositionLostError)
    for other in (place(200), place()):
        stream = STREAM if other.position.lsn > 100 else OTHER
        whence.offset(stream, other)
        assert isinstance(whence.again(42, "a part is missing"), TransientError)


def test_who_hears_nothing_attaches_by_the_time_and_less_often_until_something_is_heard() -> None:
    whence, seen = Whence(HERE), []
    offset = whence.offset(STREAM, place())
    for _ in range(5):
        seen.append((offset, whence.patience_seconds))
        assert isinstance(whence.silent(), TransientError)
        offset = whence.offset(STREAM, place())
    since = NOW - timedelta(minutes=1)
    assert seen == [(42, 15), (since, 60), (since, 240), (since, 600), (since, 600)]
    assert (whence.offset(STREAM, place(200)), whence.patience_seconds) == (42, 15)

"""Now, in the unit of the wire: µs since 2000-01-01 UTC."""

import threading
import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_EPOCH_NS = 946_684_800 * 1_000_000_000


def now_us() -> int:
    """This machine's clock, µs since 2000-01-01 UTC."""
    return (time.time_ns() - _EPOCH_NS) // 1000


def to_datetime(us: int) -> datetime:
    """The same instant as an aware datetime."""
    return EPOCH + timedelta(microseconds=us)


def to_us(instant: datetime) -> int:
    """An aware datetime in µs since 2000-01-01 UTC."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def pause(seconds: float) -> None:
    """Wait. Not by time.sleep: it sleeps until an instant, which is gone where libfaketime moved the clock."""
    threading.Event().wait(seconds)

"""How fast a link applies, and how long catching up will take: from its samples of the last minutes. Pure.

1. Only of a link that is heard something is said: one that is cut, stopped or not known of does not catch up, whatever
   it did before.
2. Catching up is reckoned from the highest point of the backlog in that time. What came before is another story: the
   line was cut then.
3. A backlog that does not shrink has no end. It is said to grow, and no figure is given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from replication.status.views import LinkView

WINDOW = timedelta(minutes=5)
_SHORTEST = timedelta(seconds=10)
"""A rate over less is noise: heartbeats come every two or three seconds."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How a link stood at a moment; None is what was not known."""

    at: datetime
    backlog_changes: int | None
    applied_changes: int | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the last minutes say of a link."""

    rate: float | None = None
    """Changes applied a second; None: not known."""
    catch_up_seconds: float | None = None
    """Until nothing waits, if it goes on so; 0: nothing does. None: not known, or never."""
    grows: bool = False
    """More waits than did before: at this rate it does not catch up."""


UNKNOWN = Outlook()


def look_ahead(link: LinkView, samples: Sequence[Sample]) -> Outlook:
    """The outlook of a link. ``samples`` are its own, oldest first."""
    if link.state not in ("up", "late") or link.known_at is None:
        return UNKNOWN
    now = link.known_at
    past = [sample for sample in samples if now - WINDOW <= sample.at <= now - _SHORTEST]
    rate = _rate(link, past, now)
    if link.state == "up" or link.backlog_changes == 0:
        return Outlook(rate, 0.0)
    heights = [(sample.backlog_changes, sample.at) for sample in past if sample.backlog_changes is not None]
    if link.backlog_changes is None or not heights:
        return Outlook(rate)
    height, then = max(heights)
    if height <= link.backlog_changes:
        return Outlook(rate, grows=True)
    return Outlook(rate, link.backlog_changes * ((now - then) / timedelta(seconds=1)) / (height - link.backlog_changes))


def _rate(link: LinkView, past: Sequence[Sample], now: datetime) -> float | None:
    counted = [(sample.applied_changes, sample.at) for sample in past if sample.applied_changes is not None]
    if link.applied_changes is None or not counted:
        return None
    applied, then = counted[0]
    gained = link.applied_changes - applied
    return gained / ((now - then) / timedelta(seconds=1)) if gained >= 0 else None  # the log was begun anew

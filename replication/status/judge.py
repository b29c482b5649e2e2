"""From what a database holds to what is said of a link: pure.

1. Knowledge has an age. A link into another site is known by that site's heartbeats alone; when these stop, its state
   is unknown, whatever the last figures were (invariant 8).
2. Every healthy link moves: an idle origin's heartbeats advance the position at every reader, every two seconds on
   the live lane, every three on the packed one. A position that stands still is a link that is cut.
3. Being idle is not being late: while changes wait, lag counts from when all was applied that there was, be it the
   newest commit or a message that said that there was nothing more; otherwise from the newest message.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from replication.status.views import LinkView, State

LATE_SECONDS = 10.0
SILENT_SECONDS = {"live": 5.0, "packed": 10.0}
STALE_SECONDS = 10.0
_STANDS_STILL_SECONDS = 8.0
_LONGEST_MESSAGE_SECONDS = 5.0
"""On a thin line; until it has arrived, the position stands still."""


@dataclass(frozen=True, slots=True)
class Head:
    """How far an origin is known to have come."""

    lsn: int | None
    changes: int | None


@dataclass(frozen=True, slots=True)
class Incoming:
    """What this site knows of its own reading of an origin."""

    origin: str
    state: str = "connecting"
    reason: str = ""
    lane: str = "live"
    heard_at: datetime | None = None
    lsn: int | None = None
    commit_time: datetime | None = None
    published_at: datetime | None = None
    complete_at: datetime | None = None
    """All that the origin had committed by then is applied; it may have been idle since its newest commit."""
    changes: int | None = None
    clock_offset_seconds: float | None = None
    """The origin's clock minus ours, at least."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a reader said, in its last heartbeat that is applied here, of what it has applied of an origin."""

    reader: str
    origin: str
    lsn: int
    changes: int | None
    commit_time: datetime | None
    """All that the origin had committed by then is applied there."""
    heard_at: datetime
    moved_at: datetime
    """When its position of the origin last advanced, by our clock."""


def incoming(own: str, at: Incoming, head: Head, now: datetime) -> LinkView:
    """The link from an origin to this site."""
    backlog = _difference(head.changes, at.changes)
    # A clock that runs ahead must not hide a lag. One that seems to run behind may be a slow line: it is left as it is.
    theirs = now + timedelta(seconds=max(at.clock_offset_seconds or 0.0, 0.0))
    lag = _lag(theirs, at.complete_at, at.published_at, behind=bool(backlog))
    return LinkView(
        at.origin,
        own,
        _incoming_state(at, lag, now),
        lag,
        at.complete_at if backlog else None,
        backlog,
        _difference(head.lsn, at.lsn),
        at.commit_time,
        at.heard_at,
        at.reason if at.state == "stopped" else "",
        at.changes,
        None if at.heard_at is None else _age(now, at.heard_at),
    )


def _incoming_state(at: Incoming, lag: float | None, now: datetime) -> State:
    if at.state == "stopped":
        return "stopped"
    if at.heard_at is None:
        return "unknown"
    if _age(now, at.heard_at) > SILENT_SECONDS.get(at.lane, STALE_SECONDS):
        return "cut"
    return "late" if lag is None or lag > LATE_SECONDS else "up"


def said(link: Said, head: Head, now: datetime) -> LinkView:
    """A link into another site, by that site's word."""
    backlog = _difference(head.changes, link.changes)
    lag = _lag(link.heard_at, link.commit_time, link.moved_at, behind=bool(backlog))
    return LinkView(
        link.origin,
        link.reader,
        _said_state(link, lag, now, behind=bool(backlog)),
        lag,
        link.commit_time if backlog else None,
        backlog,
        _difference(head.lsn, link.lsn),
        link.commit_time,
        link.heard_at,
        applied_changes=link.changes,
        known_seconds=_age(now, link.heard_at),
    )


def _said_state(link: Said, lag: float | None, now: datetime, *, behind: bool) -> State:
    if _age(now, link.heard_at) > STALE_SECONDS:
        return "unknown"
    # While the reader speaks, what it says stands still until now; if it does not, until it last spoke.
    until = now if _age(now, link.heard_at) <= SILENT_SECONDS["live"] else link.heard_at
    still = _age(until, link.moved_at)
    if still > _STANDS_STILL_SECONDS + (_LONGEST_MESSAGE_SECONDS if behind else 0.0):
        return "cut"
    return "late" if lag is None or lag > LATE_SECONDS or still > _STANDS_STILL_SECONDS else "up"


def unheard(origin: str, reader: str) -> LinkView:
    """A link of which nothing is known."""
    return LinkView(origin, reader, "unknown", None, None, None, None, None, None)


def _lag(now: datetime, complete_at: datetime | None, spoke: datetime | None, *, behind: bool) -> float | None:
    since = complete_at if behind and complete_at is not None else spoke
    return None if since is None else max(_age(now, since), 0.0)


def _age(now: datetime, then: datetime) -> float:
    return (now - then) / timedelta(seconds=1)


def _difference(head: int | None, reached: int | None) -> int | None:
    return None if head is None or reached is None else max(head - reached, 0)

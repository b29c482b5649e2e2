"""What is said of a site's replication: plain data, for pages, commands and JSON."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from replication.errors import UsageError

State = Literal["up", "late", "cut", "stopped", "unknown"]


class NotInitialisedError(UsageError):
    """The database was never put under replication: run ``python -m replication init``."""


@dataclass(frozen=True, slots=True)
class LinkView:
    """One directed link: what ``origin`` writes, and ``reader`` applies."""

    origin: str
    reader: str
    state: State
    """*up*; *late*: more than 10 s behind; *cut*: nothing arrives; *stopped*: a person must look; *unknown*: not heard
    of."""
    lag_seconds: float | None
    """How old the newest change is that was applied, by the origin's commit time; an idle origin's heartbeats keep it
    small. Where the reader is another site: as of ``known_at``."""
    behind_since: datetime | None
    """While changes wait: the origin's commit time of the newest one applied."""
    backlog_changes: int | None
    backlog_bytes: int | None
    """Bytes of the origin's WAL, which holds more than what is sent."""
    applied_commit_time: datetime | None
    known_at: datetime | None
    """When this was true: the origin was last heard by this site, or the reader said so; None: never."""
    reason: str = ""
    """Why the link stopped."""
    applied_changes: int | None = None
    """Of the origin's life, as of ``known_at``: two of them a while apart are a rate."""
    known_seconds: float | None = None
    """How long ago that was, by the clock of the database that says so."""


@dataclass(frozen=True, slots=True)
class SiteView:
    """What one site knows: its own state and every directed link between the sites, ordered by origin, then reader."""

    site: str
    now: datetime
    links: tuple[LinkView, ...]
    conflicts_total: int | None
    """None, here and in the next two: they were not asked for."""
    set_aside: int | None
    """Changes that this site could not take: a person must look."""
    parked: int | None
    """Changes that wait for another change, or for the clock."""
    capture_running: bool | None
    """None: capture never ran."""

"""What the console shows, from this site's own database alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from crm.core.paging import PAGE_ROWS, mark_of, place_of
from crm.core.session import database
from crm.core.sites import config
from crm.node.selectors import get_view
from crm.ops.rows import Row, rows_of
from replication.status import (
    REASONS,
    Comparison,
    Deed,
    Repaired,
    Series,
    SiteView,
    Waiting,
    Way,
    comparisons,
    count_waiting,
    deeds,
    history,
    outlooks,
    read_details,
    repairs,
    values_here,
    waiting,
    waiting_one,
)

SPANS: Mapping[str, timedelta] = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "30d": timedelta(days=30),
}
SPARK_SPAN, SPARK_PARTS, CHART_PARTS = "6h", 48, 120


@dataclass(frozen=True)
class Page:
    """Some rows, and the mark of the next page or an empty string."""

    rows: Sequence[Any]
    next_mark: str


def get_rows(view: SiteView | None) -> list[Row]:
    """All directed links with their outlooks; none where replication is not initialised here."""
    return rows_of(view.links, outlooks(database(), view.links), view.now) if view else []


def get_past(span: str, parts: int, now: datetime, way: Way | None = None) -> Mapping[Way, Series]:
    """How the links did, or one of them."""
    return history(database(), now=now, span=SPANS[span], parts=parts, way=way)


def get_ways() -> list[Way]:
    """Every directed link between the configured sites."""
    return [(origin, reader) for origin in config().sites for reader in config().sites if origin != reader]


@dataclass(frozen=True)
class Place:
    """Where this site stands with an origin, and how long ago that was heard."""

    origin: str
    at: Mapping[str, Any]
    heard_seconds: float | None


def get_positions() -> tuple[SiteView | None, Mapping[str, Any], list[Place]]:
    """This site, its own log, and where it stands with each origin."""
    view = get_view()
    if view is None:
        return None, {}, []
    own, origins = read_details(database())
    said = {"capture_seconds": _seconds(view, own["capture_recorded_at"])}
    return view, own | said, [Place(origin, at, _seconds(view, at["heard_at"])) for origin, at in origins.items()]


def _seconds(view: SiteView, then: datetime | None) -> float | None:
    return None if then is None else (view.now - then).total_seconds()


def get_counts() -> dict[str, int]:
    """How many changes wait, by reason; those that a person must look at first."""
    if get_view() is None:
        return {}
    counted = count_waiting(database())
    return {reason: counted[reason] for reason in REASONS if reason in counted}


def get_waiting(*, reason: str, mark: str) -> Page:
    """A page of the changes that wait, the newest first."""
    place = place_of(mark, int)
    found = waiting(database(), reason=reason, before=place[0] if place else None, most=PAGE_ROWS + 1)
    more = len(found) > PAGE_ROWS
    return Page(found[:PAGE_ROWS], mark_of(found[PAGE_ROWS - 1].id) if more else "")


def get_change(parked: int) -> Waiting | None:
    """One change that waits."""
    return waiting_one(database(), parked) if get_view() else None


def get_values_here(change: Waiting) -> Mapping[str, str | None] | None:
    """What the row holds here now; None where it is not here."""
    return values_here(database(), change)


def get_log(*, mark: str) -> Page:
    """A page of what operators did, the newest first."""
    if get_view() is None:
        return Page([], "")
    after: tuple[Any, ...] | None = place_of(mark, datetime.fromisoformat, UUID)
    found: list[Deed] = deeds(database(), after=(after[0], after[1]) if after else None, most=PAGE_ROWS + 1)
    more = len(found) > PAGE_ROWS
    last = found[PAGE_ROWS - 1] if more else None
    return Page(found[:PAGE_ROWS], mark_of(last.asked_at, last.id) if last else "")


def get_comparisons() -> tuple[list[Comparison], list[Repaired]]:
    """How this site's tables compare with the others', and what was repaired."""
    return (comparisons(database()), repairs(database())) if get_view() else ([], [])

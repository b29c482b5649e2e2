"""How the links did until now: what apply samples in its own site's database (``kuroshio.link_sample``). Read-only.

What was not sampled is a gap, and stays one: while apply did not run, nobody knew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from replication.status.outlook import WINDOW, Outlook, Sample, look_ahead
from replication.status.reading import rows
from replication.status.views import LinkView, State

Way = tuple[str, str]
"""A directed link: origin, reader."""

# Worst last: of a stretch of time the worst state is told.
_STATES: Sequence[State] = ("up", "late", "unknown", "stopped", "cut")

_RECENT = """
SELECT origin, reader, at, backlog_changes, applied_changes FROM kuroshio.link_sample
 WHERE at > clock_timestamp() - %s ORDER BY at"""

_STRETCHES = """
SELECT origin, reader, floor(extract(epoch FROM at - %(since)s) / %(step)s)::int AS place,
       max(lag_seconds)::float8 AS lag, max(backlog_changes) AS backlog, max(applied_changes) AS applied,
       max(array_position(%(states)s::text[], state)) AS state
  FROM kuroshio.link_sample
 WHERE at >= %(since)s AND (%(origin)s::text IS NULL OR (origin, reader) = (%(origin)s, %(reader)s))
 GROUP BY 1, 2, 3"""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A link during a stretch of time: the worst of what was sampled."""

    state: State
    lag_seconds: float | None
    backlog_changes: int | None
    rate: float | None
    """Changes applied a second, on average since the stretch before."""


@dataclass(frozen=True, slots=True)
class Series:
    """Stretches of equal length, oldest first; None: nothing was sampled."""

    since: datetime
    step: timedelta
    stretches: Sequence[Stretch | None]


def recent_samples(connection: psycopg.Connection[Any]) -> Mapping[Way, Sequence[Sample]]:
    """The samples that an outlook is made of."""
    found: dict[Way, list[Sample]] = {}
    for row in rows(connection, "link_sample", _RECENT, (WINDOW + timedelta(minutes=1),)):
        way = row.pop("origin"), row.pop("reader")
        found.setdefault(way, []).append(Sample(**row))
    return found


def outlooks(connection: psycopg.Connection[Any], links: Sequence[LinkView]) -> Mapping[Way, Outlook]:
    """What the last minutes say of each link."""
    recent = recent_samples(connection)
    return {way: look_ahead(link, recent.get(way, ())) for link in links for way in [(link.origin, link.reader)]}


def history(
    connection: psycopg.Connection[Any], *, now: datetime, span: timedelta, parts: int, way: Way | None = None
) -> Mapping[Way, Series]:
    """How each link did, or one of them, during a span of time that is divided into so many stretches."""
    step, since = span / parts, now - span
    parameters = {"since": since, "step": step.total_seconds(), "states": list(_STATES)}
    parameters |= dict(zip(("origin", "reader"), way or (None, None), strict=True))
    found: dict[Way, dict[int, dict[str, Any]]] = {}
    for row in rows(connection, "link_sample", _STRETCHES, parameters):
        found.setdefault((row["origin"], row["reader"]), {})[min(row["place"], parts - 1)] = row
    return {known: Series(since, step, _stretches(those, parts, step)) for known, those in found.items()}


def _stretches(found: Mapping[int, Mapping[str, Any]], parts: int, step: timedelta) -> list[Stretch | None]:
    return [_stretch(found.get(place), found.get(place - 1), step) for place in range(parts)]


def _stretch(row: Mapping[str, Any] | None, before: Mapping[str, Any] | None, step: timedelta) -> Stretch | None:
    if row is None:
        return None
    rate = None
    if before and None not in (row["applied"], before["applied"]) and row["applied"] >= before["applied"]:
        rate = (row["applied"] - before["applied"]) / step.total_seconds()
    return Stretch(_STATES[row["state"] - 1], row["lag"], row["backlog"], rate)

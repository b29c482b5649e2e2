"""The operator's view: every site that answers is asked itself, so that it holds while the lines are cut.

What a site that does not answer has applied is known from the others' records of its last heartbeats, with their age.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from math import inf
from typing import Any

from replication.postgres.connect import Connection
from replication.status import judge
from replication.status.details import read_details
from replication.status.judge import Head, Incoming
from replication.status.local import Facts, read_facts
from replication.status.outlook import UNKNOWN, Outlook, Sample, look_ahead
from replication.status.trends import Way, recent_samples
from replication.status.views import LinkView, NotInitialisedError, SiteView

RECORD_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class SiteReport:
    """One site that answered."""

    view: SiteView
    detail: Mapping[str, Any]
    positions: Mapping[str, Mapping[str, Any]]
    """By origin: where its changes are applied up to, and how reading it goes."""

    @property
    def apply_running(self) -> bool | None:
        """Apply writes its record every second. None: it never ran."""
        recorded = [at["recorded_at"] for at in self.positions.values() if at["recorded_at"] is not None]
        return (self.view.now - max(recorded)).total_seconds() < RECORD_SECONDS if recorded else None


@dataclass(frozen=True, slots=True)
class StatusReport:
    """All sites and all directed links."""

    sites: Mapping[str, SiteReport]
    unreachable: Mapping[str, str]
    links: tuple[LinkView, ...] = field(default=())
    outlooks: Mapping[Way, Outlook] = field(default_factory=dict)
    """From the readers' own samples, of those that answered."""

    @property
    def now(self) -> datetime | None:
        """When the figures were read, by the clock of a site that answered; None: none did."""
        return max((site.view.now for site in self.sites.values()), default=None)

    def as_json(self) -> dict[str, Any]:
        """The shape that scripts read. Times are ISO 8601 in UTC."""
        sites = {name: _site_json(report) for name, report in self.sites.items()}
        return {
            "sites": sites | {name: {"reached": False, "reason": why} for name, why in self.unreachable.items()},
            "links": [_link_json(link, self.outlooks.get((link.origin, link.reader), UNKNOWN)) for link in self.links],
            "read_at": None if self.now is None else _text(self.now),
        }


def _link_json(link: LinkView, outlook: Outlook) -> dict[str, Any]:
    return _plain(asdict(link) | asdict(outlook))


def _site_json(report: SiteReport) -> dict[str, Any]:
    view = report.view
    return {
        "reached": True,
        "capture_running": view.capture_running,
        "apply_running": report.apply_running,
        "conflicts": view.conflicts_total,
        "parked": view.parked,
        "set_aside": view.set_aside,
        **_plain(report.detail),
        "positions": {origin: _plain(position) for origin, position in report.positions.items()},
    }


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _text(value) if isinstance(value, datetime) else value for name, value in values.items()}


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def read_status(
    connections: Mapping[str, Connection], unreachable: Mapping[str, str], numbers: Mapping[str, int]
) -> StatusReport:
    """Ask every site that was reached. ``numbers``: all configured sites, in order."""
    facts: dict[str, Facts] = {}
    reports: dict[str, SiteReport] = {}
    missing = dict(unreachable)
    samples: dict[str, Mapping[Way, Sequence[Sample]]] = {}
    for site, connection in connections.items():
        try:
            facts[site] = read_facts(connection, numbers)
        except NotInitialisedError as fault:
            missing[site] = str(fault)
            continue
        reports[site] = SiteReport(facts[site].view(list(numbers)), *read_details(connection))
        samples[site] = recent_samples(connection)
    links = tuple(_link(facts, origin, reader) for origin in numbers for reader in numbers if origin != reader)
    outlooks = {
        way: look_ahead(link, samples[link.reader].get(way, ()))
        for link in links
        if link.reader in samples
        for way in [(link.origin, link.reader)]
    }
    return StatusReport(reports, missing, links, outlooks)


def _link(facts: Mapping[str, Facts], origin: str, reader: str) -> LinkView:
    """From the reader itself, with the origin's own word on how far it has come; else from who heard of it last."""
    if reader in facts:
        at = facts[reader]
        return judge.incoming(reader, at.into.get(origin, Incoming(origin)), _head(facts, origin, at), at.now)
    heard = [one.link(origin, reader) for one in facts.values() if (origin, reader) in one.words]
    if not heard:
        return judge.unheard(origin, reader)
    newest = min(heard, key=lambda link: inf if link.known_seconds is None else link.known_seconds)
    return replace(newest, state="unknown")


def _head(facts: Mapping[str, Facts], origin: str, reader: Facts) -> Head:
    if origin in facts:
        return facts[origin].heads[origin]
    return reader.heads.get(origin, Head(None, None))

"""Reads a site's figures at each scrape, part by part: what one part cannot say does not silence the others.

Each part has one short look at the database, read-only, with a time limit: a scrape must never be what a busy database
waits for. A part that could not be read is shown as such, and shows nothing.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import get_args

import psycopg
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from replication import metrics
from replication.certificates import expires_at
from replication.errors import KuroshioError
from replication.postgres import figures
from replication.postgres.connect import Connection, connect
from replication.status import LinkView, local_view
from replication.status.views import State
from sitecfg import Config, Site

STATEMENT_SECONDS = 2.0
TURN_SECONDS = 5.0
"""For so long a scrape waits for the one before it."""
REASONS = ("insert", "parent", "clock", "schema", "refused")
STAGES = ("written", "settled", "stable", "hidden")
CAPTURE_STATES = ("starting", "running", "fenced")
HOUR_SECONDS, DAY_SECONDS = 3_600, 86_400
NOBODY = "nobody"

Part = Callable[[Connection], Iterable[Metric]]


class SiteCollector(Collector):
    """All figures of one site. One scrape at a time holds the connection, which is opened again when it breaks."""

    def __init__(self, config: Config, site: Site, more: Mapping[str, Part]) -> None:
        """``more``: further parts, by name."""
        self._numbers = {name: one.number for name, one in config.sites.items()}
        self._site = site
        self._parts = {
            "site": self._of_site,
            "links": self._of_links,
            "verified": self._verified,
            "waiting": _waiting,
            "volume": _volume,
            "certificates": self._of_certificates,
            **more,
        }
        self._connection: Connection | None = None
        self._turn = threading.Lock()

    def close(self) -> None:
        """Leave the database."""
        if self._connection is not None:
            self._connection.close()

    def collect(self) -> Iterator[Metric]:
        yield metrics.BUILD.of({(version("kuroshio"),): 1})
        read: dict[tuple[str, ...], float | None] = dict.fromkeys(((name,) for name in self._parts), 0.0)
        seconds: dict[tuple[str, ...], float | None] = {}
        if self._turn.acquire(timeout=TURN_SECONDS):
            try:
                for name, part in self._parts.items():
                    begun = time.monotonic()
                    found = self._read(part)
                    read[name,], seconds[name,] = found is not None, time.monotonic() - begun
                    yield from found or ()
            finally:
                self._turn.release()
        yield metrics.PART_READ.of(read)
        yield metrics.PART_SECONDS.of(seconds)

    def _read(self, part: Part) -> list[Metric] | None:
        """What the part says; None where it could not be asked."""
        try:
            if self._connection is None or self._connection.closed:
                self._connection = _open(self._site)
            return list(part(self._connection))
        except (psycopg.Error, OSError, KuroshioError):
            if self._connection is not None and self._connection.broken:
                self._connection.close()
            return None

    def _of_site(self, connection: Connection) -> Iterator[Metric]:
        row = figures.site(connection)
        yield metrics.CLOCK.is_(row["now"])
        yield metrics.RULES.of({(row["rules"],): 1})
        yield metrics.SCHEMA.of({((row["schema"] or "")[:12],): 1})
        yield metrics.WAL_POSITION.is_(row["wal_bytes"])
        yield metrics.SLOT_ACTIVE.is_(row["slot_active"])
        yield metrics.SLOT_LOST.is_(row["slot_lost"])
        yield metrics.SLOT_RETAINED.is_(row["slot_retained_bytes"])
        yield metrics.SLOT_BOUND.is_(self._site.limits.held_wal_bytes)
        yield metrics.LOG_RETENTION.is_(self._site.limits.stream_retention_days * DAY_SECONDS)
        yield metrics.CAPTURE_STATE.of({(state,): row["state"] == state for state in CAPTURE_STATES})
        yield metrics.CAPTURE_RECORDED.is_(row["recorded"])
        yield metrics.CAPTURED_CHANGES.is_(row["changes"])
        yield metrics.CAPTURED_COMMIT.is_(row["commit_time"])
        yield metrics.CONFLICTS_RECORDED.is_(row["conflicts"])

    def _of_links(self, connection: Connection) -> Iterator[Metric]:
        view = local_view(connection, self._numbers, totals=False)
        yield from _judged([link for link in view.links if link.reader == self._site.name])
        peers = list(self._site.peers)
        yield from _incoming(figures.origins(connection, peers))
        yield from _outgoing(figures.readers(connection, peers))

    def _of_certificates(self, _: Connection) -> Iterator[Metric]:
        keys = self._site.keys
        ends = {("site",): expires_at(keys.certificate), ("authority",): expires_at(keys.authority)}
        yield metrics.CERTIFICATE_EXPIRY.of({labels: end.timestamp() for labels, end in ends.items()})

    def _verified(self, connection: Connection) -> Iterator[Metric]:
        """What nobody has asked yet was asked nought times (replication/metrics.py, 4)."""
        rows = {(row["peer"], row["table"]): row for row in figures.verified(connection, list(self._site.peers))}
        yield metrics.VERIFIED.of({key: row["told"] for key, row in rows.items()})
        yield metrics.DIVERGENT.of({key: row["divergent"] for key, row in rows.items()})
        yield metrics.VERIFY_CYCLE.is_(self._site.limits.verify_hours * HOUR_SECONDS)
        letters = {row["peer"]: row for row in figures.letters(connection)}
        for figure, column in ((metrics.LETTERS_ANSWERED, "answered"), (metrics.LETTERS_REFUSED, "refused")):
            yield figure.of(
                {(name,): letters[name][column] if name in letters else 0 for name in (*self._site.peers, NOBODY)}
            )


def _open(site: Site) -> Connection:
    connection = connect(site.dsn("ops"), name="exporter")
    connection.execute("SELECT set_config('statement_timeout', %s, false)", (f"{STATEMENT_SECONDS * 1000:.0f}ms",))
    connection.execute("SET default_transaction_read_only = on")
    return connection


def _judged(links: Iterable[LinkView]) -> Iterator[Metric]:
    """What is said of the links into this site (replication/status/judge.py): idle is not late."""
    into = {link.origin: link for link in links}
    states: tuple[str, ...] = get_args(State)
    yield metrics.LINK_STATE.of(
        {(origin, state): link.state == state for origin, link in into.items() for state in states}
    )
    yield metrics.LINK_LAG.of({(origin,): link.lag_seconds for origin, link in into.items()})
    yield metrics.LINK_BACKLOG.of({(origin,): link.backlog_changes for origin, link in into.items()})
    yield metrics.LINK_BACKLOG_BYTES.of({(origin,): link.backlog_bytes for origin, link in into.items()})


def _incoming(rows: Iterable[figures.Row]) -> Iterator[Metric]:
    origins = {(row["origin"],): row for row in rows}
    recorded = [row["recorded"] for row in origins.values() if row["recorded"] is not None]
    yield metrics.APPLY_RECORDED.is_(max(recorded, default=None))
    for figure, column in (
        (metrics.LINK_HEARD, "heard"),
        (metrics.CLOCK_OFFSET, "clock_offset_seconds"),
        (metrics.APPLIED_POSITION, "position_bytes"),
        (metrics.APPLIED_COMMIT, "commit_time"),
        (metrics.APPLIED_CHANGES, "changes"),
    ):
        yield figure.of({origin: row[column] for origin, row in origins.items()})
    yield metrics.ORIGIN_RULES.of({(*origin, row["rules"]): 1 for origin, row in origins.items() if row["rules"]})


def _outgoing(rows: Iterable[figures.Row]) -> Iterator[Metric]:
    readers = {(row["reader"],): row for row in rows}
    for figure, column in (
        (metrics.PEER_HEARD, "heard"),
        (metrics.PEER_POSITION, "position_bytes"),
        (metrics.PEER_COMMIT, "commit_time"),
    ):
        yield figure.of({reader: row[column] for reader, row in readers.items()})


def _waiting(connection: Connection) -> Iterator[Metric]:
    """Nothing of a kind is nought of it, and no oldest."""
    for figure, oldest, names, rows in (
        (metrics.PARKED, metrics.PARKED_OLDEST, REASONS, figures.parked(connection)),
        (metrics.TOMBSTONES, metrics.TOMBSTONE_HORIZON, STAGES, figures.tombstones(connection)),
    ):
        found = {next(iter(row.values())): row for row in rows}
        yield figure.of({(name,): found[name]["number"] if name in found else 0 for name in names})
        yield oldest.of({(name,): row["oldest"] for name, row in found.items()})


def _volume(connection: Connection) -> Iterator[Metric]:
    """The file system that the database lies on, where it is on this machine."""
    volume = os.statvfs(figures.data_directory(connection))
    yield metrics.VOLUME_FREE.of({("database",): volume.f_bavail * volume.f_frsize})
    yield metrics.VOLUME_SIZE.of({("database",): volume.f_blocks * volume.f_frsize})

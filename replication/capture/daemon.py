"""The capture daemon: runs sessions for ever, with a growing pause after a fault that time mends."""

import time
from dataclasses import dataclass
from functools import partial

import psycopg

from replication import events, metrics
from replication.audience import views_in_use
from replication.capture.deletes import Deletes
from replication.capture.fence import FencedError, RestoredError
from replication.capture.gather import PART_BYTES, Gatherer
from replication.capture.session import PART_CHANGES, Session, Tools
from replication.capture.shapes import Shape, shape_of
from replication.capture.views import deciding_of, narrower_for
from replication.capture.wholes import Wholes
from replication.clock import pause
from replication.core.rules import HAS_PARTS, RAISES_EPOCH
from replication.core.stamps import EPOCH, GENERATION, TERM
from replication.definitions import require_known
from replication.errors import StreamDown, TransientError, UsageError
from replication.keys import fence, signer, verifier
from replication.postgres import capturing
from replication.postgres.catalog import describe, first_names
from replication.postgres.connect import Connection, connect
from replication.wire.pglogical import Relation
from sitecfg import ColumnRule, Config, Site

_SHRINKS = 4
"""What the walsender says is at least about so many times what travels of it."""
_LEAST_PART_BYTES = 64 << 10
_PAUSE_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
_FENCED_SECONDS = 10.0
_DOWN_SECONDS = 8.0
"""A broker that starts serves its streams within two or three."""
_LONG_DOWN_SECONDS = 60.0


def gatherer_for(config: Config, site: Site, connection: Connection) -> Gatherer:
    """A gatherer that asks this database what its tables are."""
    deciding = deciding_of(config, site)

    def shape(relation: Relation) -> Shape | None:
        try:
            table = describe(connection, relation.schema, relation.name)
        except UsageError:
            return None  # dropped since: no site can apply it
        rules = config.rules.table(str(table))
        require_known(connection, config.rules)
        columns = {name: rules.column(name) for name in table.values}
        parted = {name: tuple(kind in HAS_PARTS for kind in rule.kinds) for name, rule in columns.items()}
        carried = {name: _carried(rule) for name, rule in columns.items()}
        first = first_names(connection, relation.schema, relation.name)
        named = relation._replace(columns=tuple(map(first, relation.columns)))
        names = [column.name for column in table.columns]
        return shape_of(named, table.key, names, carried, parted, deciding(table.qualified))

    def key_of(schema: str, name: str) -> tuple[str, ...] | None:
        row = connection.execute(
            "SELECT key_columns FROM kuroshio.replicated_table WHERE nspname = %s AND relname = %s", (schema, name)
        ).fetchone()
        return tuple(row[0]) if row else None  # type: ignore[arg-type]

    def parted_of(table: tuple[str, str]) -> frozenset[str]:
        rules = config.rules.table(".".join(table))
        return frozenset(name for name, rule in rules.columns.items() if rule.rule in HAS_PARTS)

    deletes = Deletes(key_of, deciding)
    wholes = Wholes(key_of, deciding, parted_of, deletes)
    return Gatherer(shape, deletes, PART_CHANGES, wholes, part_bytes(config, site))


def part_bytes(config: Config, site: Site) -> int:
    """How much of a large transaction travels at once: what the slowest line to a peer carries in the time that the
    site's limits allow."""
    rates = [one.peers[site.name].rate_bytes_per_second for one in config.sites.values() if site.name in one.peers]
    carried = site.limits.message_seconds * min(rates, default=PART_BYTES)
    return min(PART_BYTES, max(_LEAST_PART_BYTES, _SHRINKS * carried))


def _carried(rule: ColumnRule) -> tuple[int, ...]:
    """The kinds of numbers that a column's stamp may have besides the moment."""
    return (*((EPOCH, TERM) if RAISES_EPOCH & rule.names else ()), *((GENERATION,) if rule.generation > 1 else ()))


def run(config: Config, site: Site) -> None:
    """Capture until the process is ended."""
    metrics.serve(site.metrics.capture_port, metrics.CAPTURE)
    tools = Tools(
        config,
        site,
        signer(site),
        verifier(config, site),
        partial(gatherer_for, config, site),
        views_in_use(config, site.name),
        partial(narrower_for, config, site),
    )
    failures = 0
    patience = Patience()
    while True:
        began = time.monotonic()
        seconds = _run_once(tools, failures, patience)
        failures = 0 if time.monotonic() - began > 30 else failures + 1
        pause(seconds)


@dataclass(slots=True)
class Patience:
    """How long the broker has not served one of our streams while it serves us.

    Where a log that was begun anew for it is not served either, the next one is begun after twice as long: what ails
    the broker is not that stream.
    """

    since: float | None = None
    lasts: float = _DOWN_SECONDS

    def is_over(self, now: float) -> bool:
        return self.since is not None and now - self.since > self.lasts

    def fails(self, fault: Exception, now: float) -> None:
        """Note how a session ended; what is not about a stream says nothing."""
        if self.is_over(now):
            self.since, self.lasts = now, min(2 * self.lasts, _LONG_DOWN_SECONDS)
        elif isinstance(fault, StreamDown) and self.since is None:
            self.since = now

    def served(self) -> None:
        """The broker serves all our streams."""
        self.since, self.lasts = None, _DOWN_SECONDS


def _run_once(tools: Tools, failures: int, patience: Patience) -> float:
    """One session; returns the pause before the next."""
    log = events.logger()
    try:
        with connect(tools.site.dsn("capture"), name="capture control") as connection:
            try:
                Session(tools, connection, gives_up=patience.is_over(time.monotonic()), served=patience.served).run()
            except FencedError as fault:
                log.error(events.CAPTURE_FENCED, reason=str(fault))
                if isinstance(fault, RestoredError):
                    fence(tools.site, str(fault))
                capturing.record_state(connection, "fenced", str(fault))
                return _FENCED_SECONDS
    except (TransientError, psycopg.OperationalError, OSError) as fault:
        patience.fails(fault, time.monotonic())
        metrics.CAPTURE_INTERRUPTED.inc()
        log.warning(events.CAPTURE_INTERRUPTED, reason=str(fault))
    return _PAUSE_SECONDS[min(failures, len(_PAUSE_SECONDS) - 1)]

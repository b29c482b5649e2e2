"""The way back of a site whose log, or whose database, is not what its peers know.

1. *Restored*: the database is an earlier one than its log was written by, or a new and empty one. What its old log
   still holds, the peers read to its end; what one peer alone has of it, that peer sends to all (`level`); then the
   site is seeded from a peer, with its own lost rows; what was written to it since it was restored is kept by the
   rules (`keeping`); and it begins a new log.
2. *Its slot is lost*, or its log does not reach back to what a peer has: what it wrote since the slowest peer heard of
   it is found by its stamps and sent whole, in a new log.
3. *A peer's log does not reach back* to what the site has of it, because it was away for too long: it is seeded from a
   peer that has had all that it wrote.

A new log begins behind every position that anybody knows of the old one, so what was said of the one is not taken for
the other, though a restored database uses its WAL positions again.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from replication.audience import views_in_use
from replication.broker.log import last_message
from replication.broker.names import stream_name
from replication.clock import now_us, to_us
from replication.core.progress import format_lsn
from replication.definitions import row_rules
from replication.errors import BrokerUnavailable, StreamDown, StreamMissing, TransientError, UsageError
from replication.keys import fenced, keep_incarnations, kept_incarnations, unfence, verifier
from replication.postgres import capturing, closing, residency, rewriting, states
from replication.postgres.capturing import Identity, is_unrecorded
from replication.postgres.catalog import describe
from replication.postgres.connect import Connection
from replication.postgres.install import new_incarnation
from replication.postgres.parameters import register
from replication.wire.header import Header
from replication.wire.message import read_header
from sitecfg import Config, Site

LONGEST_TRANSACTION_US = 3_600_000_000
"""A stamp is the clock when its transaction began; what committed later may bear one that is older by so much."""
_POLL_SECONDS = 0.5
_BROKER_SECONDS = 120.0
Sites = Mapping[str, Connection]


class Fault(Enum):
    """What is wrong with a site."""

    RESTORED = "its database was restored from a copy, or is a new one: its log, or a peer, knows more than it does"
    SLOT_LOST = "its slot is lost: what it wrote since cannot be read from the WAL"
    LOG_SHORT = "its log does not reach back to what a peer has of it"
    AWAY = "a peer's log does not reach back to what it has: it was away for longer than the logs are kept"


def diagnose(log: "Log") -> list[Fault]:
    """What is wrong with a site, in the order in which it is to be mended: by its own database, by the files beside its
    keys, by its log, and by what its peers know."""
    connection = log.sites[log.site.name]
    own = capturing.identity(connection)
    if own.incarnation not in kept_incarnations(log.site) or fenced(log.site):
        return [Fault.RESTORED]
    if not capturing.has_node(connection) or log.is_ahead(own) or log.is_another(own):
        return [Fault.RESTORED]
    found = list[Fault]()
    confirmed = capturing.slot_confirmed(connection)
    if confirmed is None or confirmed > max(own.live_lsn, own.packed_lsn):
        found.append(Fault.SLOT_LOST)
    elif any(_is_stopped(peer, log.site.name) for peer in log.peers.values()):
        found.append(Fault.LOG_SHORT)
    if any(_is_stopped(connection, name) for name in log.peers):
        found.append(Fault.AWAY)
    return found


def _is_stopped(connection: Connection, origin: str) -> bool:
    query = "SELECT FROM kuroshio.reading WHERE origin = %s AND state = 'stopped' AND reason LIKE '%%seeded again%%'"
    return connection.execute(query, (origin,)).fetchone() is not None


@dataclass(frozen=True, slots=True)
class Log:
    """One site's log, as its peers have it."""

    config: Config
    sites: Sites
    site: Site

    @property
    def peers(self) -> dict[str, Connection]:
        return {name: connection for name, connection in self.sites.items() if name != self.site.name}

    def is_ahead(self, own: Identity) -> bool:
        """Does its log, or a peer, know more of this site than its database could have told?

        A log says how many records its database had kept (`capture/opening.py`), which is therefore asked after the
        log; what a peer applied bears only a time.
        """
        ends, connection = self._ends(), self.sites[self.site.name]
        applied = [found for peer in self.peers.values() if (found := _applied_of(peer, own.name, _tokens(own)))]
        flushed, records = capturing.flushed(connection), capturing.identity(connection).records
        return any(end.to_lsn > flushed or end.records > records for end in ends) or any(
            lsn > flushed or is_unrecorded(own, lsn, published_us) for lsn, published_us in applied
        )

    def is_another(self, own: Identity) -> bool:
        """Does a peer know a log of this site that its database has never written, as it is a new one?"""
        tokens = [*_tokens(own), *kept_incarnations(self.site)]
        known = any(_applied_of(peer, own.name, tokens) for peer in self.peers.values())
        return not known and bool(known_otherwise(self.peers, own.name, tokens))

    def await_end(self, patience_seconds: float) -> bool:
        """Wait until every peer has read the old log to its end; False where the broker does not hold it any more."""
        end = max((end.to_lsn for end in self._ends()), default=None)
        deadline = time.monotonic() + patience_seconds
        while end is not None and (behind := [name for name, lsn in self._applied().items() if lsn < end]):
            if time.monotonic() > deadline:
                raise TransientError(
                    f"{', '.join(behind)} has not read the old log of {self.site.name} to its end, {format_lsn(end)}:"
                    " heal the lines, start the daemons, and run this again"
                )
            time.sleep(_POLL_SECONDS)
        return end is not None

    def _ends(self) -> list[Header]:
        """With what the lanes end of the log that was in force."""
        verify, ends = verifier(self.config, self.site), list[Header]()
        for view in views_in_use(self.config, self.site.name):
            for token in kept_incarnations(self.site):
                body = last_of_log(self.site.broker_url(), stream_name(self.site.name, token, "live", view.name))
                if body:
                    ends.append(read_header(body, verify)[0])
        return ends

    def _applied(self) -> dict[str, int]:
        return {name: _position(connection, self.site.name)[0] for name, connection in self.peers.items()}

    def level(self) -> int:
        """Where one peer has more of this site's log than another, have it sent to all; return how many rows."""
        applied = self._applied()
        least = min(applied.values(), default=0)
        return sum(
            send_again(self.config, self.peers[name], self.config.site(name), self.site.number, since)
            for name, lsn in applied.items()
            if lsn > least
            for since in [_passed_since(self.peers[name], self.site.number, least)]
        )

    def heard_us(self) -> list[int]:
        """Up to when, by the site's clock, each peer has applied what was committed there."""
        return [_position(connection, self.site.name)[1] for connection in self.peers.values()] or [0]

    def begin(self, sends_since_us: int | None = None) -> tuple[Identity, int]:
        """A new log, behind all that anybody knows of this site; the peers read on from its beginning.

        ``sends_since_us``: what the site wrote from then on is sent again, once the slot is there that holds what it
        writes later; returns how many rows. Capture begins last: killed before that, all of it is to be done again.
        """
        connection = self.sites[self.site.name]
        known = max([*(_head(peer, self.site.name) for peer in self.peers.values()), capturing.flushed(connection)])
        lsn = rewriting.renew_slot(connection, known)
        if lsn is None:
            raise UsageError(
                f"the peers know positions of {self.site.name} up to {format_lsn(known)}, far beyond its WAL:"
                " stop PostgreSQL there and move its WAL forward with pg_resetwal -l (deploy/RUNBOOK.md), then run this"
                " again"
            )
        sent = 0
        if sends_since_us is not None:
            sent = send_again(self.config, connection, self.site, self.site.number, sends_since_us)
        own, token = capturing.identity(connection), new_incarnation()
        keep_incarnations(self.site, own.incarnation, token)
        capturing.begin_lineage(connection, token, lsn)
        own = capturing.identity(connection)
        for peer in self.peers.values():
            rewriting.follow(peer, own, lsn)
        keep_incarnations(self.site, token)
        unfence(self.site)
        return own, sent


def last_of_log(url: str, stream: str, patience_seconds: float = _BROKER_SECONDS) -> bytes | None:
    """The last message of a stream; None where it is lost, or empty. A broker that starts is waited for."""
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            return last_message(url, stream)
        except StreamMissing:
            return None
        except StreamDown as fault:
            if time.monotonic() > deadline:
                raise TransientError(
                    f"the broker has the log {stream} and does not serve it ({fault}): start the broker anew, and run"
                    " this again. If it stays so, the log is damaged: delete it there (rabbitmqctl delete_queue"
                    f" {stream}), which gives up what it alone holds, and run this again"
                ) from fault
        except BrokerUnavailable as fault:
            if time.monotonic() > deadline:
                raise TransientError(f"the broker does not answer ({fault}): start it, and run this again") from fault
        time.sleep(_POLL_SECONDS)


def _tokens(own: Identity) -> list[str]:
    return [token for token, _ in own.lineage]


def known_otherwise(peers: Sites, site: str, tokens: Collection[str]) -> list[str]:
    """The peers that know a log of a site by none of these names."""
    query = "SELECT FROM kuroshio.position WHERE origin = %s AND incarnation <> ALL (%s)"
    return [name for name, peer in peers.items() if peer.execute(query, (site, list(tokens))).fetchone() is not None]


def _applied_of(connection: Connection, site: str, tokens: list[str]) -> tuple[int, int] | None:
    """What is applied of a site's log of these names: up to where, and when the site sent that."""
    row: Any = connection.execute(
        "SELECT (lsn - '0/0')::bigint, published_at FROM kuroshio.position"
        " WHERE origin = %s AND incarnation = ANY (%s)",
        (site, tokens),
    ).fetchone()
    return (int(row[0]), to_us(row[1]) if row[1] else 0) if row else None


def _position(connection: Connection, origin: str) -> tuple[int, int]:
    """LSN and commit time, in µs since 2000, of what is applied of an origin."""
    row: Any = connection.execute(
        "SELECT (lsn - '0/0')::bigint,"
        " coalesce(extract(epoch FROM commit_time - timestamptz '2000-01-01 00:00:00+00') * 1000000, 0)::bigint"
        "  FROM kuroshio.position WHERE origin = %s",
        (origin,),
    ).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def _head(connection: Connection, origin: str) -> int:
    row: Any = connection.execute(
        "SELECT coalesce(max(lsn - '0/0'), 0)::bigint FROM ("
        "SELECT head_lsn AS lsn FROM kuroshio.reading WHERE origin = %(o)s"
        " UNION ALL SELECT lsn FROM kuroshio.position WHERE origin = %(o)s"
        " UNION ALL SELECT lsn FROM kuroshio.peer_position WHERE origin = %(o)s) AS known",
        {"o": origin},
    ).fetchone()
    return int(row[0])


def _passed_since(connection: Connection, number: int, lsn: int) -> int:
    """The clock of the earliest write of a site behind a position of its log."""
    row: Any = connection.execute(
        "SELECT min(low) >> 10 FROM kuroshio.passage WHERE site = %s AND to_lsn > '0/0'::pg_lsn + %s::numeric",
        (number, lsn),
    ).fetchone()
    return int(row[0]) if row and row[0] is not None else now_us()


def send_again(config: Config, connection: Connection, sender: Site, number: int, since_us: int) -> int:
    """Have a site send whole what it holds of the writes that bear a number, from a moment on; return how many rows."""
    register(connection)
    sites, count = [name for name in config.sites if name != sender.name], 0
    for name in closing.replicated(connection):
        table = describe(connection, *name)
        rules = row_rules(table, config.rules)
        for keys in rewriting.written(connection, table, number, since_us):
            with connection.transaction():
                for key, local in states.read(connection, table, keys, rules).items():
                    residency.note_again(connection, table, key, local.row, rules, sites)
                    count += 1
    return count

"""The one apply writer of a site: takes messages from all readers, writes their rows and positions, transaction by
transaction.

1. A message's rows and its origin's position are one local transaction (invariants 1, 2 and 6).
2. The position in the database decides: what it covers is a duplicate, what begins behind it is a gap. So a lost answer
   to COMMIT does no harm.
3. Where something before a message is missing (a range, or a part of its large transaction), its reader is told, and
   what came behind it in the same attempt is passed over: the reader looks further back, or stops the origin.
4. Deadlocks, lock timeouts and serialization failures are tried again; what the data itself forbids is bisected:
   message by message, then section by section, then row by row, and the rows that cannot be taken are set aside.
"""

import queue
import time
from collections.abc import Sequence
from dataclasses import replace

import psycopg

from replication import events, metrics
from replication.apply.applier import REFUSED, Applier, is_of_the_moment
from replication.apply.burying import Burying
from replication.apply.deriving import Deriver
from replication.apply.incoming import Inbox, Incoming
from replication.apply.merging import Merger
from replication.apply.obeying import Obedience
from replication.apply.releasing import Releasing
from replication.apply.sampling import Sampler
from replication.apply.sections import unapplied
from replication.apply.sharing import Sharing
from replication.apply.tables import Tables
from replication.clock import now_us, pause, to_datetime
from replication.core.changes import Author, Change
from replication.core.progress import Position, Step, format_lsn, step
from replication.core.stamps import join_moments
from replication.definitions import require_known
from replication.errors import InvariantError, TransientError
from replication.postgres import applying, capturing, closing, staging, tombstones
from replication.postgres.applying import Place, Reading
from replication.postgres.connect import Connection, connect
from replication.postgres.parameters import register
from replication.postgres.rows import FastRows
from replication.postgres.tombstones import Horizon
from replication.wire.header import Header
from replication.wire.message import WHOLE, Section, decode_sections, read_header
from sitecfg import Config, Site

BATCH_CHANGES = 6000
_TICK_SECONDS = 1.0
_COLLECT_SECONDS = 5.0
_DERIVE_SECONDS = 0.3
_SETTLE_SECONDS = 2.0
_RETRY_PARKED_SECONDS = 2.0
_NOTHING_PARKED_SECONDS = 3.0
_PARKED_AT_ONCE = 2000
_LOCK_SECONDS = 0.5
"""Less than a user's deadlock_timeout (1 s): who waits for apply, which waits for them, must not become the victim."""
_GIVES_WAY_TIMES = 20
_LONG_LOCK_SECONDS = 20.0
_PAUSE_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0)

_UNBORN = Place(Position("", 0, 0, 0), 0, "", 0)


class Writer:
    """Owns the connection that holds this site's replication origin."""

    def __init__(self, config: Config, site: Site, readings: Sequence[Reading]) -> None:
        self._config = config
        self._site = site
        self._readings = {reading.origin: reading for reading in readings}
        self._numbers = {name: one.number for name, one in config.sites.items()}
        self.inbox = Inbox()
        self._connection: Connection
        self._applier: Applier
        self._releasing: Releasing
        self._sharing: Sharing
        self._deriver: Deriver
        self._sampler: Sampler
        self._obedience: Obedience
        self._burying: Burying
        self.places: dict[str, Place] = {}
        self.rules_known: frozenset[str] = frozenset()
        self._next_tick = self._next_collect = self._next_parked = self._next_settle = 0.0
        self._lock_seconds = 0.0
        self._deriving_failures = 0
        self._retrying = False
        self._horizon: Horizon | None = None
        self._passed_over: dict[str, int] = {}
        """Origin -> the attempt of its reader in which something was missing."""
        self._committed: dict[str, int] = {}
        """Origin -> where the last of its transactions ends that was applied since this process has begun."""

    def _connect(self) -> Connection:
        """A session that holds this site's replication origin."""
        connection = connect(self._site.dsn("apply"), name="apply")
        register(connection)
        try:
            closing.require_open(connection)
            applying.become_writer(connection)
            applying.know_sites(connection, self._numbers)
            self.rules_known = applying.adopt_rules(connection, self._config.rules.version)
        except (psycopg.Error, TransientError):
            connection.close()  # the one before us may hold the origin for a moment longer
            raise
        return connection

    def open(self) -> None:
        """Connect, and read where each origin stands."""
        connection = self._connect()
        tables = Tables(connection, self._config.rules, list(self._config.sites), self._site.name)
        merger = Merger(connection, self._site.number, list(self._config.sites), tables, self._park)
        ahead = int(self._site.limits.clock_ahead_seconds * 1_000_000)
        self._applier = Applier(connection, tables, merger, FastRows(), ahead)
        self._releasing = Releasing(connection, tables, merger)
        self._sharing = Sharing(connection, self._config, self._site.name, tables, merger)
        self._deriver = Deriver(connection, merger, self._config.rules)
        self._sampler = Sampler(connection, self._site.name, self._numbers)
        self._obedience = Obedience(connection, self._site.dsn("apply"), self._applier, self._numbers, self._retry)
        kept = self._site.limits.disputed_days
        self._burying = Burying(connection, tables, self._numbers, self._site.number, kept)
        self._connection = connection
        self._lock_seconds = 0.0
        self._horizon = None
        self.places = dict.fromkeys(self._site.peers, _UNBORN) | applying.places(connection)

    def place(self, origin: str) -> Place | None:
        """Where an origin stands; None where nothing of it was applied. For the readers."""
        place = self.places[origin]
        return place if place.position.incarnation else None

    def run(self) -> None:
        """Write for ever. Raises what neither time nor setting aside can mend."""
        waiting: list[Incoming] = []
        failures = 0
        while True:
            try:
                self._wait_for_locks(failures)
                if not waiting:
                    waiting = self._take()
                if waiting:
                    self._write(waiting, careful=False)
                    waiting = []
                self._tick()
                failures = 0
            except psycopg.Error as fault:
                if not is_of_the_moment(fault):
                    raise
                metrics.RETRIES.labels(type(fault).__name__).inc()
                events.logger().warning(events.BATCH_RETRIED, reason=type(fault).__name__, detail=_first_line(fault))
                failures += 1
                pause(_PAUSE_SECONDS[min(failures, len(_PAUSE_SECONDS)) - 1])
                if self._connection.closed or self._connection.broken:
                    self._reopen()

    def _wait_for_locks(self, failures: int) -> None:
        """Give way to the local users; hold on longer only where they hold on longer still."""
        seconds = _LOCK_SECONDS if failures < _GIVES_WAY_TIMES else _LONG_LOCK_SECONDS
        if seconds != self._lock_seconds:
            applying.wait_for_locks(self._connection, seconds)
            self._lock_seconds = seconds

    def _reopen(self) -> None:
        try:
            self.open()
        except psycopg.Error as fault:
            events.logger().warning(events.APPLY_INTERRUPTED, reason=_first_line(fault))

    def _take(self) -> list[Incoming]:
        """What is there, up to a batch; waits no longer than to the next tick."""
        try:
            taken = [self.inbox.get(timeout=max(0.01, self._next_tick - time.monotonic()))]
        except queue.Empty:
            return []
        count = taken[0].changes
        while count < BATCH_CHANGES:
            try:
                taken.append(self.inbox.get_nowait())
            except queue.Empty:
                break
            count += taken[-1].changes
        return taken

    def _write(self, batch: Sequence[Incoming], *, careful: bool) -> None:
        try:
            with self._connection.transaction():
                self._applier.tables.look()
                places = dict(self.places)
                written = [one for one in batch if self._write_one(one, places, careful=careful)]
        except REFUSED as fault:
            if is_of_the_moment(fault):
                raise
            if careful:
                raise InvariantError(f"a message cannot be applied even row by row: {_first_line(fault)}") from fault
            events.logger().warning(events.BATCH_BISECTED, messages=len(batch), reason=type(fault).__name__)
            self._applier.tables.forget()
            self._applier.fast.forget()
            for one in batch:
                self._write([one], careful=True)
            return
        self.places = places
        for one in batch:
            one.done()
        self._observe(written)

    def _write_one(self, one: Incoming, places: dict[str, Place], *, careful: bool) -> bool:
        """Write one message; False where it was written before."""
        header, place = one.header, places[one.header.origin]
        if one.attempt <= self._passed_over.get(header.origin, 0):
            return False
        if header.kind == "part":
            return self._write_part(one, place, places, careful=careful)
        lsn = place.position.lsn if place.position.incarnation else one.base_lsn
        decision = step(lsn, header.from_lsn, header.to_lsn)
        if decision is Step.GAP:
            return self._pass_over(one, f"what {header.origin} wrote after {format_lsn(lsn)} is missing")
        if decision is Step.DUPLICATE:
            if header.to_lsn == lsn:  # what was said before that is old: a change of lanes reads a minute of it again
                self._heard(header)
            return False
        self._applier.apply(unapplied(one.sections, lsn), self._author(header), careful=careful)
        self._advance(one, places, _moments(one.sections))
        return True

    def _write_part(self, one: Incoming, place: Place, places: dict[str, Place], *, careful: bool) -> bool:
        """Stage a part; with the last one, apply them all."""
        header, connection = one.header, self._connection
        part = header.part
        assert part is not None
        if not part.is_last:
            staging.stage(connection, header, one.body)
            applying.move_hint(connection, header.origin, one.stream, one.stream_offset)
            places[header.origin] = replace(place, stream=one.stream, stream_offset=one.stream_offset)
            return True
        if header.to_lsn > place.position.lsn:  # not applied before
            if staging.count(connection, header.origin, part.xid, part.number) < part.number:
                return self._pass_over(one, f"parts of the transaction {part.xid} of {header.origin} are missing")
            author, moments = self._author(header), [_moments(one.sections)]
            for body in staging.bodies(connection, header.origin, part.xid, part.number):
                staged = decode_sections(read_header(body, lambda *_: None)[1])
                self._applier.apply(unapplied(staged, place.position.lsn), author, careful=careful)
                moments.append(_moments(staged))
            self._applier.apply(unapplied(one.sections, place.position.lsn), author, careful=careful)
            self._advance(one, places, join_moments(moments))
        staging.drop(connection, header.origin, part.xid)
        return True

    def _pass_over(self, one: Incoming, missing: str) -> bool:
        self._passed_over[one.header.origin] = one.attempt
        one.again(missing)
        return False

    def _advance(self, one: Incoming, places: dict[str, Place], moments: tuple[int, int]) -> None:
        header = one.header
        complete = header.kind == "heartbeat" and header.changes_total >= self._readings[header.origin].head_changes
        applying.save_place(self._connection, header, one.stream, one.stream_offset, complete=complete)
        if moments[1]:
            capturing.record_passage(
                self._connection,
                self._numbers[header.origin],
                (header.from_lsn, header.to_lsn),
                moments,
                {self._numbers[name]: p.lsn for name, p in header.positions.items() if name in self._numbers},
                header.changes_total,
            )
        if header.claims:
            tombstones.save_claims(self._connection, header.origin, header.claims)
        self._heard(header)
        before = places[header.origin]
        position = before.position._replace(
            incarnation=header.incarnation, lsn=header.to_lsn, xid=header.xid, commit_us=header.last_commit_us
        )
        published_at = to_datetime(header.published_us)
        places[header.origin] = Place(position, header.changes_total, one.stream, one.stream_offset, published_at)

    def _heard(self, header: Header) -> None:
        if header.positions:
            applying.save_peer_positions(self._connection, header)

    def _author(self, header: Header) -> Author:
        applied = {
            self._numbers[name]: position.lsn for name, position in header.positions.items() if name in self._numbers
        }
        return Author(header.origin, self._numbers[header.origin], header.from_lsn, header.to_lsn, applied)

    def _park(self, change: Change, reason: str, detail: str) -> None:
        applying.park(self._connection, change, reason, detail)
        if not self._retrying:
            table = ".".join(change.table)
            events.logger().info(events.CHANGE_PARKED, table=table, origin=change.author.origin, reason=reason)

    def _observe(self, written: Sequence[Incoming]) -> None:
        now = now_us()
        for one in written:
            header = one.header
            if header.transactions:
                self._committed[header.origin] = max(self._committed.get(header.origin, 0), header.to_lsn)
                metrics.COMMIT_LATENCY.labels(header.origin).observe(max(0.0, (now - header.last_commit_us) / 1e6))

    # -- now and then --------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        now = time.monotonic()
        if now < self._next_tick:
            return
        self._next_tick = now + _TICK_SECONDS
        closing.require_open(self._connection)
        self._applier.tables.look()
        with self._connection.pipeline(), self._connection.transaction():
            for reading in self._readings.values():
                applying.save_reading(self._connection, reading)
        if now >= self._next_settle:
            self._next_settle = now + _SETTLE_SECONDS
            self._settle()
        self._sharing.step()
        self._sampler.step()
        self._obedience.step()
        if now >= self._next_parked:
            self._next_parked = now + _RETRY_PARKED_SECONDS
            self._retry_parked()
        if now >= self._next_collect:
            self._next_collect = now + _COLLECT_SECONDS
            self._collect()
        self._derive()

    def _collect(self) -> None:
        require_known(self._connection, self._config.rules)
        self._deriver.look()
        self.places |= applying.places(self._connection)  # an operator may have sent an origin's reader elsewhere
        peers = [name for name in self._config.sites if name != self._site.name]
        with self._connection.transaction():
            tombstones.collect(self._connection, list(self._config.sites), self._applier.tables.needs)
            self._burying.look()
            staging.collect(self._connection, self._committed)
            applying.drop_passages(self._connection, self._site.name, peers)

    def _derive(self) -> None:
        """Derive a little anew. Who holds its rows holds up nothing else, and is waited for at last as by changes."""
        until = time.monotonic() + _DERIVE_SECONDS
        try:
            self._wait_for_locks(self._deriving_failures)
            while self._deriver.step() and time.monotonic() < until:
                pass
            self._deriving_failures = 0
        except psycopg.errors.LockNotAvailable as fault:
            self._deriving_failures += 1
            events.logger().warning(events.BATCH_RETRIED, reason=type(fault).__name__, detail=_first_line(fault))

    def _retry_parked(self) -> None:
        """Merge what may be merged by now."""
        self._releasing.look()
        if not applying.any_parked(self._connection):
            self._next_parked += _NOTHING_PARKED_SECONDS
            return
        self._applier.tables.forget()
        self._retrying = True
        try:
            with self._connection.transaction():
                for change, tries in applying.parked(self._connection, self._numbers, _PARKED_AT_ONCE):
                    self._retry(change, tries)
        finally:
            self._retrying = False

    def _settle(self) -> None:
        """Look at deleted rows again once everybody who was at work when they were deleted has ended (pitfall P3)."""
        seen = self._horizon
        if seen is None or not seen.at_work & tombstones.at_work(self._connection):
            if seen is not None:
                self._settle_all(seen)
            self._horizon = tombstones.horizon(self._connection)

    def _settle_all(self, seen: Horizon) -> None:
        with self._connection.transaction():
            for name in tombstones.unsettled(self._connection, seen):
                table = self._applier.tables.get(name)
                keys = tombstones.ghosts(self._connection, table, seen) if table else []
                if table and keys:
                    self._applier.merger.settle(table, keys)
            tombstones.settle(self._connection, seen)

    def _retry(self, change: Change, tries: int) -> None:
        """Merge a parked change, and take it off the list unless it had to be parked again, which counts a try more."""
        if self._applier.is_ahead(change.latest):
            applying.park(self._connection, change, "clock", "")
            return
        self._applier.merge_or_park(change)
        applying.unpark(self._connection, change, tries)


def _moments(sections: Sequence[Section]) -> tuple[int, int]:
    """Of what the origin wrote: a whole row bears the stamps of others."""
    written = [section.moments for section in sections if section.moments and WHOLE not in section.extra]
    return join_moments([(min(moments), max(moments)) for moments in written])


def _first_line(fault: BaseException) -> str:
    """The fault without its details, which may hold values."""
    text = str(fault).strip()
    return text.splitlines()[0] if text else type(fault).__name__

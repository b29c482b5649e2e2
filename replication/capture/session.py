"""One run of capture, from connecting until something breaks: a single loop that watches the slot and the broker.

What was published and not confirmed when a run ends is read from the slot again by the next one, which begins where
the broker's lanes end. Nothing is kept in memory across runs.
"""

import select
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from pika.adapters.select_connection import IOLoop

from replication import events, metrics
from replication.broker.names import Lane, stream_name
from replication.broker.publisher import Publisher
from replication.capture.gather import Gatherer
from replication.capture.lanes import LARGE_BYTES, Lanes, LaneState
from replication.capture.narrowing import Narrower
from replication.capture.opening import (
    LANES,
    Examiner,
    Tail,
    Tails,
    check_ahead,
    check_audience,
    check_identity,
    check_triggers,
    rebuilt,
)
from replication.capture.outlets import Outlet, Outlets
from replication.capture.vectors import Vectors
from replication.clock import now_us
from replication.core.progress import format_lsn, stable
from replication.core.views import View
from replication.errors import TransientError
from replication.keys import fenced, keep_incarnations, kept_incarnations
from replication.postgres import burials, capturing, tombstones
from replication.postgres.capturing import Identity
from replication.postgres.connect import Connection
from replication.postgres.install import REPLICATION_SET, SLOT, new_incarnation
from replication.postgres.slot import SlotStream
from replication.wire.header import Header
from replication.wire.pglogical import Decoder
from sitecfg import Config, Site

TICK_SECONDS = 1.0
CLAIM_SECONDS = 5.0
TRIGGERS_SECONDS = 3600.0
_DELETE_SECONDS = 5.0
PACKED_SECONDS = 1.0
BATCH_CHANGES = 2500
PART_CHANGES = 5000
MAX_UNCONFIRMED_BYTES = 16 << 20
_SLICE = 20_000
"""Plugin messages read before the loop looks at the broker again."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a run needs and does not make itself."""

    config: Config
    site: Site
    sign: Callable[[bytes], bytes]
    verify: Callable[[str, bytes, bytes], None]
    gatherer: Callable[[Connection], Gatherer]
    views: Sequence[View]
    """What this site's peers may see: the streams there are."""
    narrower: Callable[[Connection, View], Narrower]


class Session:
    """Use once: ``run`` returns only by raising."""

    def __init__(self, tools: Tools, connection: Connection, *, gives_up: bool, served: Callable[[], None]) -> None:
        """``gives_up``: streams that the broker does not serve count as lost. ``served``: called when it does."""
        self._tools = tools
        self._served = served
        self._gives_up = gives_up
        self._connection = connection
        self._loop = IOLoop()
        self._fault: Exception | None = None
        self._decoder = Decoder()
        self._gatherer = tools.gatherer(connection)
        self._vectors = Vectors()
        self._watching = False
        self._numbers = {name: site.number for name, site in tools.config.sites.items()}
        self._recorded_lsn = self._records = 0
        self._claimed_us = self._triggers_us = 0
        self._own: Identity
        self._stream: SlotStream
        self._outlets: Outlets
        self._streams: dict[str, LaneState] = {}
        self._publisher = Publisher(
            self._loop,
            tools.site.broker_url(),
            on_open=self._guarded(self._opened),
            on_confirmed=self._confirmed,
            on_lost=lambda reason: self._stop(TransientError(f"the broker was lost: {reason}")),
        )

    def run(self) -> None:
        """Capture until something breaks, then raise what did."""
        self._own = capturing.identity(self._connection)
        check_identity(self._connection, self._own, kept_incarnations(self._tools.site), fenced(self._tools.site))
        check_audience(self._connection, self._tools.config)
        self._check_triggers(now_us())
        self._publisher.connect()
        try:
            self._loop.start()
        finally:
            self._publisher.close()
            if hasattr(self, "_stream"):
                self._stream.close()
        raise self._fault or TransientError("the loop ended")

    def _stop(self, fault: Exception) -> None:
        self._fault = self._fault or fault
        self._loop.stop()

    def _guarded(self, step: Callable[[], None]) -> Callable[[], None]:
        """The loop's callbacks end the run with what they raise."""

        def guarded() -> None:
            try:
                step()
            except Exception as fault:  # noqa: BLE001  the top of this process's loop; `run` raises it again
                self._stop(fault)

        return guarded

    # -- opening -------------------------------------------------------------------------------------------------------

    def _opened(self) -> None:
        examiner = Examiner(self._tools.site.broker_url(), self._tools.verify, self._gives_up)
        names = [view.name for view in self._tools.views]
        tails = examiner.examine(self._own, names, capturing.slot_confirmed(self._connection) or 0)
        check_ahead(self._connection, self._own, tails)
        if not tails.intact:
            tails = self._rebuild(tails.directory)
        fresh = not tails.announced
        streams = [stream_name(self._own.name, self._own.incarnation, lane, view) for view in names for lane in LANES]
        self._declare([*streams, tails.directory], lambda: self._begin(tails, opens=fresh))

    def _rebuild(self, directory: str) -> Tails:
        """Start a new incarnation at the slot, unless the one in force has nothing yet and is not damaged already."""
        own, lsn = self._own, capturing.slot_confirmed(self._connection)
        assert lsn is not None
        is_unused = own.live_lsn == own.packed_lsn == own.lineage[-1][1]
        if self._gives_up or not is_unused:
            token = new_incarnation()
            keep_incarnations(self._tools.site, own.incarnation, token)
            capturing.begin_incarnation(self._connection, own, token, lsn)
            keep_incarnations(self._tools.site, token)
            events.logger().warning(events.LOG_REBUILT, incarnation=token, before=own.incarnation, lsn=format_lsn(lsn))
            self._own = capturing.identity(self._connection)
        return rebuilt(self._own, [view.name for view in self._tools.views], announced=False, directory=directory)

    def _declare(self, streams: list[str], done: Callable[[], None]) -> None:
        if not streams:
            self._guarded(done)()
            return
        limits = self._tools.site.limits
        self._publisher.declare(
            streams[0],
            max_bytes=limits.stream_retention_bytes,
            max_age_days=limits.stream_retention_days,
            done=lambda: self._declare(streams[1:], done),
        )

    def _begin(self, tails: Tails, *, opens: bool) -> None:
        own, self._records = self._own, self._own.records
        self._outlets = Outlets([self._outlet(view, tails.views[view.name]) for view in self._tools.views])
        announcement = self._outlets.first.announcement(own.lineage, now_us())
        for outlet in self._outlets.every:
            if tails.views[outlet.view].is_new:
                outlet.lanes.start(announcement, tails.views[outlet.view].live_lsn, now_us())
        config = self._tools.config
        capturing.record_start(self._connection, config.rules.version, config.sites.keys() - {own.name})
        names = [view.name for view in self._tools.views]
        unread = [
            stream_name(own.name, own.incarnation, n, view) for view in own.views.difference(names) for n in LANES
        ]
        if own.views != frozenset(names):
            capturing.record_views(self._connection, names)
            self._loop.call_later(_DELETE_SECONDS, self._guarded(lambda: self._delete(unread)))
        if opens:
            self._publisher.publish(tails.directory, announcement, 0)
            # Later, and once: a damaged stream takes the connection down when it is to be deleted.
            self._loop.call_later(_DELETE_SECONDS, self._guarded(lambda: self._delete(self._superseded())))
        # This log ends where its lanes say; one that was lost before it may have held all that is in the WAL by now.
        self._gatherer.sent_until = capturing.flushed(self._connection)
        start = tails.first
        self._stream = SlotStream(self._tools.site.dsn("capture"), SLOT, start, [REPLICATION_SET])
        events.logger().info(events.CAPTURE_STARTED, lsn=format_lsn(start), incarnation=own.incarnation)
        self._served()
        self._watch()
        self._tick()

    def _outlet(self, view: View, tail: Tail) -> Outlet:
        own = self._own
        live = LaneState("live", tail.live_lsn, min(own.live_lsn, tail.live_lsn))
        packed = LaneState("packed", tail.packed_lsn, min(own.packed_lsn, tail.packed_lsn))
        for lane in (live, packed):
            self._streams[stream_name(own.name, own.incarnation, lane.name, view.name)] = lane
        publish = partial(self._publish, view.name)
        lanes = Lanes(live, packed, publish, self._header, self._tools.sign, tail.changes)
        return Outlet(view.name, lanes, self._tools.narrower(self._connection, view))

    def _superseded(self) -> list[str]:
        """The lanes of the logs before this one, where every peer has applied all that this one does not hold. Who
        still reads them would wait in vain; and a stream to which nobody writes is never shortened."""
        own = self._own
        applied = capturing.applied_by_peers(self._connection, own)
        passed = stable([applied.get(peer) for peer in self._tools.config.sites if peer != own.name])
        if passed is None or passed < own.lineage[-1][1]:
            return []
        tokens = [token for token, _ in own.lineage[:-1]]
        views = {"", *own.views, *(view.name for view in self._tools.views)}
        return [stream_name(own.name, token, lane, view) for token in tokens for view in views for lane in LANES]

    def _delete(self, streams: list[str]) -> None:
        if streams:
            self._publisher.delete(streams[0], self._guarded(lambda: self._delete(streams[1:])))

    def _header(self, from_lsn: int) -> Header:
        return Header(
            self._own.name,
            self._own.incarnation,
            rules_version=self._tools.config.rules.version,
            positions=self._vectors.at(from_lsn),
            records=self._records,
        )

    # -- reading -------------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        if not self._watching:
            self._loop.add_handler(self._stream.fileno(), self._readable, self._loop.READ)
            self._watching = True

    def _unwatch(self) -> None:
        if self._watching:
            self._loop.remove_handler(self._stream.fileno())
            self._watching = False

    def _readable(self, _fd: int, _events: int) -> None:
        self._guarded(self._read)()

    def _read(self) -> None:
        feed, decode, count = self._gatherer.feed, self._decoder.feed, 0
        more = True
        while more and count < _SLICE:
            for payload in self._stream.payloads():
                count += 1
                if feed(decode(payload), len(payload)) and self._is_full():
                    self._flush()
            if self._gatherer.parts:
                self._flush()
            more = bool(select.select([self._stream.fileno()], [], [], 0)[0])
        if not more and not self._gatherer.is_open:
            self._flush()
        if self._stream.wants_reply:
            self._confirm_slot()
        if self._publisher.unconfirmed_bytes > MAX_UNCONFIRMED_BYTES or self._publisher.blocked:
            self._unwatch()

    def _is_full(self) -> bool:
        batch = self._gatherer.batch
        return batch.changes >= BATCH_CHANGES or batch.bytes >= LARGE_BYTES

    def _flush(self) -> None:
        for batch in self._gatherer.take():
            if batch.changes or batch.part or batch.fenced or batch.claims:
                self._vectors.passed(batch, self._outlets.first.live.published_lsn)
                self._outlets.put(batch, now_us())
                metrics.CHANGES_CAPTURED.inc(batch.changes)
                metrics.TRANSACTIONS_CAPTURED.inc(batch.transactions)

    def _publish(self, view: str, lane: Lane, body: bytes, lsn: int) -> None:
        self._publisher.publish(stream_name(self._own.name, self._own.incarnation, lane, view), body, lsn)
        metrics.MESSAGES_PUBLISHED.labels(lane).inc()
        metrics.CAPTURE_BYTES.labels(lane).inc(len(body))

    def _confirmed(self, stream: str, lsn: int) -> None:
        lane = self._streams.get(stream)
        if lane is not None:
            lane.confirmed_lsn = max(lane.confirmed_lsn, lsn)
        if not self._watching and self._publisher.unconfirmed_bytes < MAX_UNCONFIRMED_BYTES // 2:
            self._watch()

    # -- every second --------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._loop.call_later(TICK_SECONDS, self._guarded(self._tick))
        now = now_us()
        self._outlets.each(partial(_flush_packed, now))
        self._heartbeat(now)
        self._vectors.sample(*capturing.sample(self._connection))
        self._vectors.forget(self._outlets.published_lsn)
        if passed := self._vectors.take(self._numbers):
            capturing.record_passage(self._connection, self._own.number, *passed, self._outlets.first.changes)
        capturing.pass_on(self._connection)
        if _passed(self._triggers_us, now, TRIGGERS_SECONDS):
            self._check_triggers(now)
        if _passed(self._claimed_us, now, CLAIM_SECONDS):
            self._claimed_us = now
            tombstones.claim(self._connection)
            if buried := burials.bury(self._connection):
                events.logger().info(events.ROWS_BURIED, rows=buried)
        self._record()
        self._confirm_slot()
        metrics.UNCONFIRMED_BYTES.set(self._publisher.unconfirmed_bytes)
        metrics.BROKER_BLOCKED.set(self._publisher.blocked)
        if not self._watching and not self._publisher.blocked:
            self._watch()

    def _check_triggers(self, now: int) -> None:
        self._triggers_us = now
        check_triggers(self._connection)

    def _record(self) -> None:
        """Keep what the broker has confirmed, before the slot moves there: one ahead of the record is taken for new."""
        live, packed = self._outlets.confirmed
        lanes = self._outlets.first
        self._records = capturing.record(self._connection, live, packed, lanes.changes, lanes.last_commit_us, "running")
        self._recorded_lsn = min(live, packed)

    def _heartbeat(self, now: int) -> None:
        """Behind everything up to the sampled WAL position, and only where nothing else spoke lately."""
        lsn = self._vectors.newest_lsn
        if lsn is None or self._stream.server_lsn < lsn or self._gatherer.is_open or self._gatherer.batch.transactions:
            return
        self._outlets.each(partial(self._heartbeat_in, lsn, now))

    @staticmethod
    def _heartbeat_in(lsn: int, now: int, lanes: Lanes) -> None:
        if _passed(lanes.live.published_us, now, TICK_SECONDS * 1.9):
            lanes.heartbeat(lanes.live, lsn, now)
        if lanes.waiting is None and _passed(lanes.packed.published_us, now, TICK_SECONDS * 2.9):
            lanes.heartbeat(lanes.packed, lsn, now)

    def _confirm_slot(self) -> None:
        """The slot lets go of what every peer has durably applied or, past the bound, of what the broker has confirmed;
        never of more than is on record."""
        own = self._own
        applied = capturing.applied_by_peers(self._connection, own)
        stored = self._recorded_lsn
        peers = [name for name in self._tools.config.sites if name != own.name]
        passed = stable([applied.get(peer) for peer in peers]) if peers else stored
        held = self._stream.server_lsn - (passed or capturing.slot_confirmed(self._connection) or 0)
        beyond = held > self._tools.site.limits.held_wal_bytes
        metrics.WAL_BOUND_PASSED.set(beyond)
        if beyond:
            events.logger().warning(events.WAL_BOUND_PASSED, held_bytes=held)
        flushed = stored if beyond else min(passed or 0, stored)
        self._stream.confirm(self._outlets.published_lsn, flushed, ask=True)


def _flush_packed(now: int, lanes: Lanes) -> None:
    if lanes.waiting and _passed(lanes.waiting_since_us, now, PACKED_SECONDS):
        lanes.flush_packed(now)


def _passed(since_us: int, now_us: int, seconds: float) -> bool:
    """A clock that was set back says nothing of how long it was: better too early than silent until it catches up."""
    return not 0 <= now_us - since_us < seconds * 1_000_000

"""The two lanes of a site's log: which messages they hold, and where each one stands.

- *live* gets a message as soon as the WAL has nothing more to read: low latency.
- *packed* gets the same changes in blocks of a second or more: few bytes.

A batch that is large already is one message in both, made once. Each lane is whole in itself: the messages of a lane
follow each other without a gap, ``from_lsn`` of one being ``to_lsn`` of the one before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from replication.broker.names import Lane
from replication.capture.gather import Batch
from replication.wire.header import Header, Lineage, Part
from replication.wire.message import LIVE_LEVEL, PACKED_LEVEL, encode

LARGE_CHANGES = 400
"""From this size on a live message is as dense as a packed one."""
LARGE_BYTES = 4 << 20
"""So many bytes of changes wait for no more."""

Publish = Callable[[Lane, bytes, int], None]
NewHeader = Callable[[int], Header]
"""Makes a header that knows the origin's positions as of an LSN."""


@dataclass(slots=True)
class LaneState:
    """Where a lane stands: what was published to it, and what of that the broker has confirmed."""

    name: Lane
    published_lsn: int
    confirmed_lsn: int
    published_us: int = 0


@dataclass(slots=True)
class Lanes:
    """Publishes batches to both lanes."""

    live: LaneState
    packed: LaneState
    publish: Publish
    new_header: NewHeader
    sign: Callable[[bytes], bytes]
    changes: int
    """Of this site's life, up to what live has."""
    packed_changes: int = 0
    waiting: Batch | None = None
    """What packed has yet to get."""
    waiting_since_us: int = 0
    last_commit_us: int = 0
    sizes: list[tuple[Lane, int, int]] = field(default_factory=list)

    def put(self, batch: Batch, now_us: int) -> None:
        """Publish a batch to live, and to packed now or later."""
        if batch.part is not None or batch.changes >= LARGE_CHANGES or batch.bytes >= LARGE_BYTES:
            self.flush_packed(now_us)
            self._put_large(batch, now_us)
            return
        self._put_one(self.live, batch, now_us, LIVE_LEVEL)
        if self.waiting is None:
            self.waiting, self.waiting_since_us = Batch(), now_us
        self.waiting.absorb(batch)
        if self.waiting.bytes >= LARGE_BYTES:
            self.flush_packed(now_us)

    def pass_over(self, batch: Batch) -> None:
        """Count what holds nothing for these lanes; the next message covers its range."""
        if batch.end_lsn > self.live.published_lsn:
            self.changes += batch.changes
        self.last_commit_us = batch.last_commit_us or self.last_commit_us

    def flush_packed(self, now_us: int) -> None:
        """Publish the block that waits for packed."""
        if self.waiting is not None:
            block, self.waiting = self.waiting, None
            self._put_one(self.packed, block, now_us, PACKED_LEVEL)

    def heartbeat(self, lane: LaneState, to_lsn: int, now_us: int) -> None:
        """Say that there was nothing up to ``to_lsn``, and what this site has applied."""
        header = self._header(lane, "heartbeat", now_us)
        header.to_lsn = max(to_lsn, lane.published_lsn)
        header.positions = self.new_header(header.to_lsn).positions  # it says nothing that came before them
        self._send(lane, encode(header, [], self.sign, LIVE_LEVEL), header.to_lsn, now_us)

    def announcement(self, lineage: Sequence[tuple[str, int]], now_us: int) -> bytes:
        """The message that names this incarnation and those before it in the same LSN space."""
        header = self._header(self.live, "start", now_us)
        header.from_lsn = header.to_lsn = lineage[-1][1]
        header.lineage = [Lineage(*step) for step in lineage]
        return encode(header, [], self.sign, LIVE_LEVEL)

    def start(self, announcement: bytes, lsn: int, now_us: int) -> None:
        """Open both lanes of a new incarnation."""
        for lane in (self.live, self.packed):
            self._send(lane, announcement, lsn, now_us)

    def _put_one(self, lane: LaneState, batch: Batch, now_us: int, level: int) -> None:
        if batch.end_lsn <= lane.published_lsn:
            return
        if lane is self.live:
            self.changes += batch.changes
        header = self._header(lane, "changes", now_us)
        self._describe(header, batch)
        self._send(lane, encode(header, batch.sections(), self.sign, level), header.to_lsn, now_us)

    def _put_large(self, batch: Batch, now_us: int) -> None:
        if batch.part is not None or batch.end_lsn > self.live.published_lsn:
            self.changes += batch.changes
        header = self._header(self.live, "part" if batch.part else "changes", now_us)
        # Not the last part ends where it begins: it must not take the one lane to where the other is.
        header.from_lsn = min(self.live.published_lsn, self.packed.published_lsn)
        self._describe(header, batch)
        body = encode(header, batch.sections(), self.sign, LIVE_LEVEL)
        for lane in (self.live, self.packed):
            if header.to_lsn > lane.published_lsn or (batch.part and not batch.part[2]):
                self._send(lane, body, max(header.to_lsn, lane.published_lsn), now_us)

    def _header(self, lane: LaneState, kind: str, now_us: int) -> Header:
        header = self.new_header(lane.published_lsn)
        header.kind = kind  # type: ignore[assignment]
        header.from_lsn = header.to_lsn = lane.published_lsn
        header.published_us = header.clock_us = now_us
        header.first_commit_us = header.last_commit_us = self.last_commit_us
        header.changes_total = self.changes
        return header

    def _describe(self, header: Header, batch: Batch) -> None:
        header.to_lsn = batch.end_lsn or header.from_lsn
        header.claims = batch.claims
        header.xid, header.transactions = batch.xid, batch.transactions
        if batch.last_commit_us:
            header.first_commit_us, header.last_commit_us = batch.first_commit_us, batch.last_commit_us
            self.last_commit_us = batch.last_commit_us
        if batch.part is not None:
            header.part = Part(*batch.part)

    def _send(self, lane: LaneState, body: bytes, to_lsn: int, now_us: int) -> None:
        self.publish(lane.name, body, to_lsn)
        lane.published_lsn, lane.published_us = to_lsn, now_us
        self.sizes.append((lane.name, len(body), to_lsn))

"""Gathers decoded transactions into batches of sections: pure, and the inner loop of capture.

1. A batch holds whole transactions, or (``part``) a run of one large transaction's changes.
2. Where a large transaction is cut depends on that transaction and the configuration alone, so that a rebuilt log cuts
   it alike: after so many changes, or so many bytes of them, as no message may be too large for its readers, or take
   too long on the slowest line to them.
3. What travels is decided by fresh stamps: a row without any, or a cell without one, stays home.
4. What an earlier session may have sent, cut otherwise, bears its transaction's LSN in each row, so that a reader whose
   position lies within a message leaves out what it has applied: of that it may have forgotten the tombstones.
5. A row that no message can hold fences capture, which names it: the trigger cannot refuse it, for PL/pgSQL prepares
   each expression anew in every transaction, and one over all columns would cost every write.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from replication.capture.fence import FencedError
from replication.capture.shapes import Plan, Shape, fresh_keys, require_values, written_in
from replication.core.progress import parse_lsn
from replication.core.stamps import LIFE, join_moments
from replication.errors import InvariantError
from replication.wire.binary import MAX_BODY
from replication.wire.message import COMMIT_LSN, PARTS_OF, SENT_LSN, Section
from replication.wire.pglogical import UNCHANGED, Begin, Commit, Insert, Relation, Update

Describe = Callable[[Relation], Shape | None]
OWN_SCHEMA = "kuroshio"
PART_BYTES = 16 << 20
"""The most, of what the walsender says; a message holds less than four times as much (``wire.binary.MAX_BODY``)."""

ROW_BYTES = MAX_BODY - PART_BYTES - (1 << 20)
"""The most that one row may have: it is not cut, and stands in a message behind less than ``PART_BYTES``."""


def _too_large(buffer: "Buffer", size: int) -> FencedError:
    plan = buffer.plan
    key = ", ".join((part or b"").decode() for part in buffer.rows[-1][: plan.key_count])
    return FencedError(
        f"the row ({key}) of {'.'.join(plan.table)} was written with {size:,} bytes, and no message holds more than"
        f" {ROW_BYTES >> 20} MB of one row: shorten it, then follow 'A row that is too large' in deploy/RUNBOOK.md"
    )


def add_parts(blobs: dict[str, list[bytes | None]], names: Sequence[str], base: int, value: object) -> None:
    """Append a row's blobs of cells with parts; ``value`` is what stands beside the row, None
    where the row's insert says it all."""
    if value is not None and type(value) is not bytes:
        raise InvariantError("a cell with parts was written, and its parts were not sent")
    parts = json.loads(value or b"{}")
    for name in names:
        body = json.dumps([base, parts.get(name, {})], ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        blobs.setdefault(PARTS_OF + name, []).append(body.encode())


def note_deciders(buffer: "Buffer", values: tuple[object, ...]) -> None:
    """Keep the values of a row's deciding columns."""
    if UNCHANGED in values:
        raise InvariantError(f"{'.'.join(buffer.plan.table)}: a value that decides who may see a row was not sent")
    buffer.deciders.append(values)  # type: ignore[arg-type]


class Buffer:
    """The rows of one section as they come in."""

    __slots__ = ("blobs", "deciders", "extra", "moments", "plan", "rows", "seen")

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rows: list[tuple[bytes | None, ...]] = []
        self.moments: list[int] = []
        self.seen: list[int] = []
        self.extra: dict[str, list[int]] = {}
        self.blobs: dict[str, list[bytes | None]] = {}
        self.deciders: list[tuple[bytes | None, ...]] = []
        """Of each row the values of the plan's deciding columns, where it has any."""

    def add(self, row: tuple[bytes | None, ...], moment: int, seen: int) -> None:
        """Append one change."""
        self.rows.append(row)
        self.moments.append(moment)
        self.seen.append(seen)

    def set_extra(self, name: str, number: int, default: int) -> None:
        """Set an extra integer of the row added last; absent rows have the default."""
        column = self.extra.setdefault(name, [])
        column.extend([default] * (len(self.rows) - len(column)))
        column[-1] = number

    def take(self, start: int) -> "Buffer":
        """Move the rows from ``start`` on to a new buffer."""
        tail = Buffer(self.plan)
        tail.rows, tail.moments, tail.seen = self.rows[start:], self.moments[start:], self.seen[start:]
        tail.deciders = self.deciders[start:]
        for mine, other in ((self.extra, tail.extra), (self.blobs, tail.blobs)):
            for name, column in mine.items():
                other[name] = column[start:]  # type: ignore[assignment]
                del column[start:]
        del self.rows[start:], self.moments[start:], self.seen[start:], self.deciders[start:]
        return tail

    def absorb(self, other: "Buffer") -> None:
        """Append all rows of another buffer of the same plan."""
        for name in self.extra.keys() | other.extra.keys():
            default = 1 if name == "life" else 0
            column = self.extra.setdefault(name, [])
            column.extend([default] * (len(self.rows) - len(column)))
            column.extend(other.extra.get(name, []))
        for name, blobs in other.blobs.items():
            self.blobs.setdefault(name, []).extend(blobs)
        self.rows += other.rows
        self.moments += other.moments
        self.seen += other.seen
        self.deciders += other.deciders

    def section(self) -> Section:
        """The section for the wire."""
        plan, count = self.plan, len(self.rows)
        for name, column in self.extra.items():
            column.extend([1 if name == "life" else 0] * (count - len(column)))
        values: list[Any] = [list(column) for column in zip(*self.rows, strict=True)]
        return Section(
            plan.table,
            plan.op,
            plan.columns,
            plan.key_count,
            values,
            self.moments,
            self.seen,
            self.extra,
            self.blobs,
        )


@dataclass(slots=True)
class Batch:
    """What will be one message."""

    buffers: dict[int, Buffer] = field(default_factory=dict)
    changes: int = 0
    transactions: int = 0
    end_lsn: int = 0
    xid: int = 0
    first_commit_us: int = 0
    last_commit_us: int = 0
    part: tuple[int, int, bool] | None = None
    fenced: bool = False
    claims: dict[str, int] = field(default_factory=dict)
    """Origin -> LSN, of the claims that were committed."""
    bytes: int = 0
    """Of the changes, as the walsender said them."""

    def buffer(self, plan: Plan) -> Buffer:
        """The buffer of a plan; plans are unique objects for as long as their relation does not change."""
        found = self.buffers.get(id(plan))
        if found is None:
            found = self.buffers[id(plan)] = Buffer(plan)
        return found

    def absorb(self, other: "Batch") -> None:
        """Take in the batch that follows this one."""
        for buffer in other.buffers.values():
            self.buffer(buffer.plan).absorb(buffer)
        self.changes += other.changes
        self.bytes += other.bytes
        self.transactions += other.transactions
        self.end_lsn, self.xid, self.last_commit_us = other.end_lsn, other.xid, other.last_commit_us
        self.first_commit_us = self.first_commit_us or other.first_commit_us
        self.claims |= other.claims

    def sections(self) -> list[Section]:
        """The sections of a message."""
        return [buffer.section() for buffer in self.buffers.values() if buffer.rows]

    def moments(self) -> tuple[int, int]:
        """The least and the greatest moment of what was written here."""
        written = [buffer.moments for buffer in self.buffers.values() if buffer.moments and not buffer.plan.is_whole]
        return join_moments([(min(moments), max(moments)) for moments in written])


Read = Callable[[Insert | Update, Batch], Buffer | None]
"""Puts what a row of our own says into its buffer."""


class Gatherer:
    """Feeds on decoder events; ``batch`` holds what is complete, ``parts`` what was cut off a large transaction."""

    def __init__(
        self,
        describe: Describe,
        tombstone: Read,
        part_changes: int,
        whole: Read = lambda *_: None,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self._describe = describe
        self._tombstone = tombstone
        self._whole = whole
        self._part_changes = part_changes
        self._part_bytes = part_bytes
        self._shapes: dict[int, Shape | None] = {}
        self.batch = Batch()
        self.parts: list[Batch] = []
        self._marks: dict[int, int] | None = None
        self._first: Buffer | None = None
        self._in_transaction = 0
        self._bytes = 0
        """Of the transaction, since it was cut last."""
        self._part_number = 0
        self._xid = 0
        self._sent_lsn = self._commit_lsn = 0
        self.sent_until = 0
        """Transactions that commit before this LSN may have been sent before."""
        self.is_open = False
        """A transaction has begun and not ended."""

    def feed(self, event: object, size: int = 0) -> bool:
        """Take one event in, of so many bytes; True when a transaction ended."""
        kind = type(event)
        if kind is Insert or kind is Update:
            self._bytes += size
            self.batch.bytes += size
            self._change(event, size)  # type: ignore[arg-type]
        elif kind is Begin:
            self._begin(event)  # type: ignore[arg-type]
        elif kind is Commit:
            self._commit(event)  # type: ignore[arg-type]
            return True
        elif kind is Relation:
            self._shapes.clear()
        return False

    def _begin(self, event: Begin) -> None:
        self._xid = event.xid
        self.is_open = True
        self._in_transaction = self._part_number = self._bytes = 0
        self._commit_lsn = event.commit_lsn
        self._sent_lsn = event.commit_lsn if event.commit_lsn < self.sent_until else 0
        self._marks = None

    def _commit(self, event: Commit) -> None:
        batch = self.batch
        self.is_open = False
        batch.transactions += 1
        batch.end_lsn = event.end_lsn
        batch.xid = self._xid
        batch.last_commit_us = event.commit_us
        batch.first_commit_us = batch.first_commit_us or event.commit_us
        if self._part_number:
            self._cut_part(is_last=True)

    def _change(self, event: Insert | Update, size: int) -> None:
        relation = event.relation
        shape = self._shapes.get(id(relation), self)
        if shape is self:
            shape = self._shapes[id(relation)] = None if relation.schema == OWN_SCHEMA else self._describe(relation)
        if shape is None:
            self._own(event, size)
            return
        text = event.values[shape.stamps_at]  # type: ignore[union-attr]
        if type(text) is not bytes:
            raise InvariantError(f"{relation.schema}.{relation.name}: a row was written without its stamp")
        stamps = [int(number) for number in text[1:-1].split(b",")]
        insert = type(event) is Insert
        buffer = self._insert(shape, event, stamps) if insert else self._update(shape, event, stamps)  # type: ignore[arg-type]
        if buffer is not None:
            self._count(buffer, size)

    def _insert(self, shape: Shape, event: Insert, stamps: list[int]) -> Buffer:
        plan = shape.insert
        buffer = self.batch.buffer(plan)
        buffer.add(plan.pick(event.values), stamps[0], stamps[1])
        if shape.decide is not None:
            note_deciders(buffer, shape.decide(event.values))
        if len(stamps) > 2:
            self._extras(buffer, plan, stamps)
        return buffer

    def _update(self, shape: Shape, event: Update, stamps: list[int]) -> Buffer | None:
        newest = max(stamps[0], *stamps[3::2]) if len(stamps) > 2 else stamps[0]
        if newest <= stamps[1]:
            return None
        fresh = fresh_keys(stamps, newest)
        plan = shape.update(fresh, written_in(fresh, stamps) if shape.has_generations else ())
        row = plan.pick(event.values)
        require_values(row, plan)
        buffer = self.batch.buffer(plan)
        buffer.add(row, newest, stamps[1])
        if shape.decide is not None:
            note_deciders(buffer, shape.decide(event.values))
        if plan.authority or LIFE in stamps:
            self._extras(buffer, plan, stamps)
        if plan.parted:
            add_parts(buffer.blobs, plan.parted, stamps[0], event.values[shape.parts_at or 0])
        return buffer

    def _extras(self, buffer: Buffer, plan: Plan, stamps: list[int]) -> None:
        numbers = dict(zip(stamps[2::2], stamps[3::2], strict=True))
        if LIFE in numbers:
            buffer.set_extra("life", numbers[LIFE], 1)
        for name, key in plan.authority:
            if key in numbers:
                buffer.set_extra(name, numbers[key], 0)

    def _own(self, event: Insert | Update, size: int) -> None:
        if event.relation.name == "fence":
            self.batch.fenced = True
        elif event.relation.name == "claim":
            _, origin, lsn = (bytes(value).decode() for value in event.values)  # type: ignore[arg-type]
            self.batch.claims[origin] = parse_lsn(lsn)
        elif event.relation.name in ("tombstone", "whole"):
            read = self._tombstone if event.relation.name == "tombstone" else self._whole
            buffer = read(event, self.batch)
            if buffer is not None:
                if buffer.plan.op == "D":
                    buffer.set_extra(COMMIT_LSN, self._commit_lsn, 0)
                self._count(buffer, size)

    def _count(self, buffer: Buffer, size: int) -> None:
        """One more change in this transaction; the second one notes where the transaction began in each buffer."""
        if size > ROW_BYTES and buffer.plan.op != "D":  # a delete's image stays home
            raise _too_large(buffer, size)
        if self._sent_lsn:
            buffer.set_extra(SENT_LSN, self._sent_lsn, 0)
        self.batch.changes += 1
        count = self._in_transaction = self._in_transaction + 1
        if count == 1:
            self._first = buffer
        elif self._marks is None:
            assert self._first is not None
            self._mark(self._first, buffer)
        if count % self._part_changes == 0 or self._bytes >= self._part_bytes:
            if self._marks is None:
                self._mark(buffer)
            self._cut_part(is_last=False)

    def _mark(self, *own: Buffer) -> None:
        """Note where the transaction began in each buffer, after these changes of it."""
        marks = {key: len(buffer.rows) for key, buffer in self.batch.buffers.items()}
        for buffer in own:
            marks[id(buffer.plan)] -= 1
        self._marks = marks

    def _cut_part(self, *, is_last: bool) -> None:
        whole, part = self.batch, Batch()
        if self._part_number == 0:
            marks = self._marks or {}
            for key, buffer in whole.buffers.items():
                start = marks.get(key, 0)
                if start < len(buffer.rows):
                    part.buffers[key] = buffer.take(start)
            part.changes = sum(len(buffer.rows) for buffer in part.buffers.values())
            whole.changes -= part.changes
            part.bytes = self._bytes
            whole.bytes -= part.bytes
            if whole.transactions:
                self.parts.append(whole)
            self._marks = {}
        else:
            part = whole
        part.part = (self._xid, self._part_number, is_last)
        part.xid = self._xid
        self._part_number += 1
        self._bytes = 0
        self.parts.append(part)
        self.batch = Batch()

    def take(self) -> list[Batch]:
        """All that is complete, in order. Between transactions everything is; within one, only the parts."""
        done, self.parts = self.parts, []
        if self.batch.transactions and not self.is_open:
            done.append(self.batch)
            self.batch = Batch()
        return done

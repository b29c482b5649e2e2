"""From what was gathered to what one narrower view of it may hold (invariant 7): pure.

1. A row that the view does not admit is left out. A column that it hides is there as a mask, marked, with its stamp.
2. Deletes and updates are decided by the row's own columns, as they stand after the change.
3. Where who may see a row has changed, the row travels *whole* to those who see more or less of it than before. To
   those who see it no more goes what says so, the deciding cell and nothing else. Where the rules have changed, it
   travels whole to the sites that it names, whatever the view that they read is called by now. Whole rows are made for
   nobody else.
"""

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from replication.capture.gather import Batch, Buffer
from replication.capture.shapes import Plan
from replication.core.views import Mask, Sight, TableView, View
from replication.wire.message import MASK_OF, MOMENT_OF, PARTS_OF, WHOLE, Op

BEFORE = "before"
"""The blob of whole rows that says what their deciding columns held before: JSON, a list of objects; or the
sites that are to have it as it stands."""
Conceal = Callable[[tuple[str, str], str, Mask, bytes | None], bytes | None]
"""(table, column, mask, value) -> what stands for the value."""

T = TypeVar("T")
Deciders = tuple[bytes | None, ...]


class Narrower:
    """Makes one view's batches; remembers its plans and what it made of deciding values."""

    def __init__(self, view: View, readers: Collection[str], conceal: Conceal) -> None:
        """``readers``: the sites that read this view."""
        self.view = view
        self._readers = frozenset(readers)
        self._conceal = conceal
        self._plans: dict[tuple[Plan, str], Plan] = {}
        self._sights: dict[tuple[tuple[str, str], tuple[str, ...], Deciders], Sight] = {}

    def narrow(self, batch: Batch) -> Batch:
        """The same batch, as this view may have it."""
        narrowed = Batch(
            {},
            batch.changes,
            batch.transactions,
            batch.end_lsn,
            batch.xid,
            batch.first_commit_us,
            batch.last_commit_us,
            batch.part,
            batch.fenced,
            batch.claims,
            batch.bytes,
        )
        for buffer in batch.buffers.values():
            table = self.view.of(buffer.plan.table)
            if buffer.plan.is_whole:
                self._whole(buffer, table, narrowed)
            elif table.is_everything:
                narrowed.buffers[id(buffer.plan)] = buffer
            else:
                self._changes(buffer, table, narrowed)
        return narrowed

    def _changes(self, buffer: Buffer, table: TableView, into: Batch) -> None:
        sights = [self._sight(buffer.plan, table, values) for values in _deciders(buffer)]
        kept = [index for index, sight in enumerate(sights) if sight.admits]
        if kept:
            picked = _pick(buffer, kept, buffer.plan)
            self._mask(picked, table, [sights[index] for index in kept])
            into.buffers[id(picked.plan)] = picked

    def _whole(self, buffer: Buffer, table: TableView, into: Batch) -> None:
        now = [self._sight(buffer.plan, table, values) for values in _deciders(buffer)]
        before = [self._before(buffer.plan, table, body) for body in buffer.blobs[BEFORE]]
        moved = [i for i, sight in enumerate(now) if sight.admits and any(old != sight for old in before[i])]
        moved = [index for index in moved if buffer.moments[index]]  # who was withdrawn from it has no row to send
        gone = [i for i, sight in enumerate(now) if not sight.admits and any(old.admits for old in before[i])]
        if moved:
            picked = _pick(buffer, moved, self._plan(buffer.plan, "I"))
            del picked.blobs[BEFORE]
            picked.extra[WHOLE] = [1] * len(moved)
            self._mask(picked, table, [now[index] for index in moved])
            into.buffers[id(picked.plan)] = picked
        if gone and table.rows.column:
            withdrawn = self._withdrawals(buffer, gone, table.rows.column)
            into.buffers[id(withdrawn.plan)] = withdrawn

    def _before(self, plan: Plan, table: TableView, body: bytes | None) -> list[Sight]:
        found: list[dict[str, str | None] | str] = json.loads(body or b"[]")
        if not self._readers.isdisjoint(one for one in found if isinstance(one, str)):
            return [Sight(admits=False)]
        rows = [[old.get(name) for name in plan.deciding] for old in found if not isinstance(old, str)]
        return [self._sight(plan, table, tuple(None if v is None else v.encode() for v in row)) for row in rows]

    def _withdrawals(self, buffer: Buffer, indices: list[int], column: str) -> Buffer:
        """Updates of the deciding cell alone: the key, the value, and its stamp."""
        plan = self._plan(buffer.plan, "U", column)
        place = buffer.plan.columns.index(column)
        withdrawn = Buffer(plan)
        source = _pick(buffer, indices, plan)
        moments = source.extra.get(MOMENT_OF + column, [0] * len(indices))
        for row, base, moment in zip(source.rows, source.moments, moments, strict=True):
            withdrawn.add((*row[: plan.key_count], row[place]), moment or base, 0)
        kept = {"life", *(f"{kind}:{column}" for kind in ("epoch", "term", "generation"))}
        withdrawn.extra = {name: numbers for name, numbers in source.extra.items() if name in kept}
        return withdrawn

    def _plan(self, plan: Plan, op: Op, column: str = "") -> Plan:
        """The plan under which a view gets whole rows (I), or withdrawals (U)."""
        found = self._plans.get((plan, op))
        if found is None:
            columns = (*plan.columns[: plan.key_count], column) if op == "U" else plan.columns
            found = plan._replace(op=op, columns=columns, is_whole=False)
            self._plans[plan, op] = found
        return found

    def _sight(self, plan: Plan, table: TableView, values: Deciders) -> Sight:
        found = self._sights.get((plan.table, plan.deciding, values))
        if found is None:
            if len(self._sights) > 10_000:
                self._sights.clear()
            found = table.sight(dict(zip(plan.deciding, values, strict=True)))
            self._sights[plan.table, plan.deciding, values] = found
        return found

    def _mask(self, buffer: Buffer, table: TableView, sights: Sequence[Sight]) -> None:
        """Put masks in the place of what the view hides."""
        columns = list(zip(*buffer.rows, strict=True))
        for place, name in enumerate(buffer.plan.columns):
            hidden = [name in sight.hidden for sight in sights]
            if any(hidden):
                mask = table.cells[name][1]
                columns[place] = tuple(
                    self._conceal(buffer.plan.table, name, mask, value) if hides else value
                    for value, hides in zip(columns[place], hidden, strict=True)
                )
                known = buffer.extra.get(MASK_OF + name, [0] * len(hidden))
                buffer.extra[MASK_OF + name] = [int(a or b) for a, b in zip(hidden, known, strict=True)]
                buffer.blobs.pop(PARTS_OF + name, None)
        buffer.rows = list(zip(*columns, strict=True))


def _deciders(buffer: Buffer) -> Sequence[Deciders]:
    return buffer.deciders if buffer.plan.deciding else [()] * len(buffer.rows)


def _pick(buffer: Buffer, indices: list[int], plan: Plan) -> Buffer:
    """Some of a buffer's rows, under another plan."""

    def pick(column: Sequence[T], default: Any = None) -> list[T]:
        return [column[index] if index < len(column) else default for index in indices]

    picked = Buffer(plan)
    picked.rows, picked.moments, picked.seen = pick(buffer.rows), pick(buffer.moments), pick(buffer.seen)
    picked.extra = {name: pick(column, int(name == "life")) for name, column in buffer.extra.items()}
    picked.blobs = {name: pick(column) for name, column in buffer.blobs.items()}
    return picked

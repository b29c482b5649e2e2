"""Rows as they stand, for those who may see more or less of them than before: the captured inserts of
``kuroshio.whole`` (replication/postgres/residency.sql). What each peer gets of them says ``narrowing``.
"""

import json
from collections.abc import Callable, Mapping

from replication.capture.deletes import deciders_of
from replication.capture.gather import Batch, Buffer, add_parts, note_deciders
from replication.capture.narrowing import BEFORE
from replication.capture.shapes import Plan
from replication.core.arrays import parse_array, parse_integers
from replication.core.stamps import Stamp, Stamps, cell_id, term_within
from replication.errors import InvariantError
from replication.wire.message import MASK_OF, MOMENT_OF
from replication.wire.pglogical import Insert, Update, Value, Values

Table = tuple[str, str]
Read = Callable[[Insert | Update, Batch], Buffer | None]


class Wholes:
    """Puts whole rows into buffers of their own. ``deletes`` reads those that are deleted; ``parted`` names the columns
    of a table that have parts."""

    def __init__(
        self,
        key_of: Callable[[str, str], tuple[str, ...] | None],
        deciding: Callable[[Table], tuple[str, ...]],
        parted: Callable[[Table], frozenset[str]],
        deletes: Read,
    ) -> None:
        self._key_of = key_of
        self._deciding = deciding
        self._parted = parted
        self._deletes = deletes
        self._plans: dict[tuple[Table, tuple[str, ...]], Plan] = {}

    def __call__(self, event: Insert | Update, batch: Batch) -> Buffer | None:
        """Put a row into its buffer and return that; None where its table is not replicated any more."""
        row = dict(zip(event.relation.columns, event.values, strict=True))
        if row["deleted"] is not None:
            return self._deletes(event, batch)
        table = _text(row["nspname"]), _text(row["relname"])
        key_columns = self._key_of(*table)
        if key_columns is None:
            return None
        cells: dict[str, str | None] = json.loads(_text(row["cells"]))
        plan = self._plan(table, key_columns, tuple(sorted(cells)))
        stamps = Stamps.unpack(parse_integers(_text(row["stamps"])))
        key = [part.encode() for part in parse_array(_text(row["key"])) if part is not None]
        values = [None if cells[name] is None else str(cells[name]).encode() for name in plan.columns[len(key) :]]
        buffer = batch.buffer(plan)
        buffer.add((*key, *values), stamps.base, stamps.seen)
        note_deciders(buffer, deciders_of(plan, cells))
        buffer.blobs.setdefault(BEFORE, []).append(_text(row["before"]).encode())
        _stamp(buffer, stamps, cells)
        if plan.parted:
            add_parts(buffer.blobs, plan.parted, stamps.base, row["parts"] or b"{}")
        return buffer

    def _plan(self, table: Table, key: tuple[str, ...], columns: tuple[str, ...]) -> Plan:
        found = self._plans.get((table, columns))
        if found is None:
            parted = tuple(sorted(self._parted(table).intersection(columns)))
            found = Plan(
                table, "I", (*key, *columns), len(key), _no_pick, (), parted, self._deciding(table), is_whole=True
            )
            self._plans[table, columns] = found
        return found


def _stamp(buffer: Buffer, stamps: Stamps, cells: Mapping[str, object]) -> None:
    """The stamps of the cells that the insert does not say, and their marks."""
    if stamps.life > 1:
        buffer.set_extra("life", stamps.life, 1)
    for name in cells:
        stamp: Stamp = stamps.of(cell_id(name))
        numbers = {f"term:{name}": term_within(stamp.term), f"epoch:{name}": stamp.epoch}
        numbers[f"generation:{name}"] = stamp.generation
        numbers[MOMENT_OF + name] = 0 if stamp.moment == stamps.base else stamp.moment
        numbers[MASK_OF + name] = int(cell_id(name) in stamps.masked)
        for extra, number in numbers.items():
            if number:
                buffer.set_extra(extra, number, 0)


def _no_pick(values: Values) -> tuple[bytes | None, ...]:
    raise InvariantError(f"a whole row's values come from its image, not from {len(values)} columns")


def _text(value: Value) -> str:
    if type(value) is not bytes:
        raise InvariantError("a whole row was sent without one of its columns")
    return value.decode()

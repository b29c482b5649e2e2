"""Deletes on the wire: the captured insert of a tombstone (pitfall P15: the WAL's own delete carries only the key)."""

import json
from collections.abc import Callable, Mapping

from replication.capture.gather import Batch, Buffer, note_deciders
from replication.capture.shapes import Plan
from replication.core.arrays import parse_array
from replication.errors import InvariantError
from replication.wire.message import REFERENTIAL
from replication.wire.pglogical import Insert, Update, Values

SAW = "saw"


class Deletes:
    """Turns tombstones into the ``D`` sections of their tables. ``key_of`` names a replicated table's key columns, or
    None where the table is not replicated any more; ``deciding`` the columns that say who may see a row, which the
    tombstone's image has."""

    def __init__(
        self,
        key_of: Callable[[str, str], tuple[str, ...] | None],
        deciding: Callable[[tuple[str, str]], tuple[str, ...]] = lambda _: (),
    ) -> None:
        self._key_of = key_of
        self._deciding = deciding
        self._plans: dict[tuple[str, str], Plan | None] = {}

    def __call__(self, event: Insert | Update, batch: Batch) -> Buffer | None:
        """Put a delete into its buffer and return that; None where the table is not replicated any more."""
        row = dict(zip(event.relation.columns, event.values, strict=True))
        table = _text(row["nspname"]), _text(row["relname"])
        plan = self._plan(table)
        if plan is None:
            return None
        key = parse_array(_text(row["key"]))
        buffer = batch.buffer(plan)
        buffer.add(tuple(part.encode() for part in key if part is not None), int(_text(row["deleted"])), 0)
        if plan.deciding:
            note_deciders(buffer, deciders_of(plan, json.loads(_text(row["cells"]))))
        saw = row["saw"]
        buffer.blobs.setdefault(SAW, []).append(saw if type(saw) is bytes else None)
        for name, number in (("life", int(_text(row["life"]))), (REFERENTIAL, int(_text(row["referential"]) == "t"))):
            default = 1 if name == "life" else 0
            if number != default or name in buffer.extra:
                buffer.set_extra(name, number, default)
        return buffer

    def _plan(self, table: tuple[str, str]) -> Plan | None:
        if table not in self._plans:
            key = self._key_of(*table)
            self._plans[table] = (
                Plan(table, "D", key, len(key), _no_pick, (), deciding=self._deciding(table)) if key else None
            )
        return self._plans[table]


def deciders_of(plan: Plan, cells: Mapping[str, str | None]) -> tuple[bytes | None, ...]:
    """The values of a plan's deciding columns in a row's image."""
    return tuple(None if (value := cells.get(name)) is None else value.encode() for name in plan.deciding)


def _no_pick(values: Values) -> tuple[bytes | None, ...]:
    raise InvariantError(f"a delete's values come from its tombstone, not from {len(values)} columns")


def _text(value: object) -> str:
    if type(value) is not bytes:
        raise InvariantError("a tombstone was sent without one of its columns")
    return value.decode()

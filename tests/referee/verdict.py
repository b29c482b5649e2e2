"""The verdict on a history and its end."""

from collections.abc import Iterator, Sequence

from tests.referee.existence import existence
from tests.referee.history import Cell, End, Record, Rows, Table, Values, Write, lives
from tests.referee.records import unheard, unrecorded
from tests.referee.rules import ALLOWS, Case


def judge(table: Table, writes: Sequence[Write], end: End) -> list[str]:
    """What the rules do not allow, in words. ``writes`` stand in an order in which nobody precedes what he saw."""
    unequal = list(_unequal(end))
    if unequal:
        return unequal
    shown: Rows = next(iter(end.rows.values()))
    strangers = [f"row {key}: nobody wrote it" for key in shown.keys() - {write.key for write in writes}]
    keys = dict.fromkeys(write.key for write in writes)
    return [
        *strangers,
        *(f"row {key}: {fault}" for key in keys for fault in _judge_row(table, key, writes, shown, end)),
    ]


def _unequal(end: End) -> Iterator[str]:
    """Whatever else it is: it is the same at all sites."""
    (first, rows), *others = end.rows.items()
    for name, theirs in others:
        for key in sorted(rows.keys() | theirs.keys()):
            if rows.get(key) != theirs.get(key):
                yield f"row {key}: {first} shows {rows.get(key)}, {name} shows {theirs.get(key)}"


def _judge_row(table: Table, key: str, writes: Sequence[Write], shown: Rows, end: End) -> Iterator[str]:
    own = [write for write in writes if write.key == key]
    life = lives(own)
    last = max(life.values())
    now = [write for write in own if life[write.id] == last]
    records = [record for record in end.records if record.key == key]
    yield from _judge_life(table, now, shown.get(key), records)
    for number in range(1, last):
        earlier = [write for write in own if life[write.id] == number]
        later = [write for write in own if life[write.id] > number]
        yield from unheard(earlier, later, _cells(table, earlier), records)


def _cells(table: Table, writes: Sequence[Write]) -> dict[str, Cell]:
    return {name: Cell(name, writes) for name in table.columns}


def _judge_life(
    table: Table, writes: Sequence[Write], shown: Values | None, records: Sequence[Record]
) -> Iterator[str]:
    cells = _cells(table, writes)
    found = existence(writes, cells, table)
    if shown is None and found.must:
        yield "it is gone, and must be there"
    elif shown is not None and not found.may:
        yield "it is there, and must be gone"
    elif shown is not None:
        for name, cell in cells.items():
            fault = ALLOWS[table.columns[name].name](Case(table, cell, shown[name], cells))
            if fault:
                yield f"{name} shows {shown[name]!r}; {fault}"
    yield from unrecorded(table, cells, found, shown, records)

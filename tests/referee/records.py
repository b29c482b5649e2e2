"""What must be on record: nothing is overwritten silently.

Asked is only what the history leaves no doubt about: a value whose like nobody else wrote at once with it, that no
author of another value had before him, and that is not shown in the end; a row that is gone though somebody had edited
it unseen, or is there though somebody had deleted it; an edit of an earlier life whose author was not heard.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from tests.referee.existence import Existence
from tests.referee.history import Cell, Record, Table, Values, Write
from tests.referee.rules import COUNTS_ALL


def unrecorded(
    table: Table, cells: Mapping[str, Cell], found: Existence, shown: Values | None, records: Collection[Record]
) -> Iterator[str]:
    """What is missing of the row's last life, in words; ``records`` are those of the row."""
    of_existence = any(not record.column for record in records)
    if shown is not None:
        if found.unseen and not of_existence:
            yield "a delete was overruled, and that is not on record"
        yield from _overwritten(table, cells, shown, records)
    elif not of_existence:
        yield from _lost_with_the_row(found, records)


def _overwritten(table: Table, cells: Mapping[str, Cell], shown: Values, records: Collection[Record]) -> Iterator[str]:
    for name, cell in cells.items():
        lost = () if table.columns[name].name in COUNTS_ALL else cell.last()
        for write in lost:
            if cell.value(write) != shown[name] and _is_untold(cell, write, records):
                yield f"{name}: {_told(cell, write)} was overwritten unseen, and is not on record"


def _lost_with_the_row(found: Existence, records: Collection[Record]) -> Iterator[str]:
    for one in found.unseen:
        if _is_untold(one.cell, one.write, records):
            yield f"{one.cell.column}: {_told(one.cell, one.write)} was lost with the row, and is not on record"


def _is_untold(cell: Cell, write: Write, records: Collection[Record]) -> bool:
    value = cell.value(write)
    untyped = write.op == "insert" and value is None
    alike = any(cell.value(other) == value for other in cell.writes if cell.apart(write, other))
    told = any(record.column == cell.column and record.loser == value for record in records)
    return not (untyped or alike or told)


def _told(cell: Cell, write: Write) -> str:
    return f"{write.site}'s {cell.value(write)!r}"


def unheard(
    earlier: Sequence[Write], later: Sequence[Write], cells: Mapping[str, Cell], records: Collection[Record]
) -> Iterator[str]:
    """Edits of an earlier life that nobody had seen who deleted the row or made it anew."""
    if any(not record.column for record in records):
        return
    enders = [write for write in earlier if write.op == "delete"]
    known = frozenset[str]().union(*(cell.covered(ender) for cell in cells.values() for ender in enders))
    known = known.union(*(write.seen for write in later))
    for cell in cells.values():
        for write in cell.writes:
            if write.id not in known and _is_untold(cell, write, records):
                yield f"{cell.column}: {_told(cell, write)}, of the row's earlier life, is not on record"

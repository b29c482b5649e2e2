"""What must be on record: nothing is overwritten silently.

Asked is only what the history leaves no doubt about: a value whose like nobody else wrote, that no author of another
value had before him, and that is not shown in the end; a row that is gone though somebody had edited it unseen, or is
there though somebody had deleted it; an edit of an earlier life whose author was not heard.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from tests.referee.existence import Existence
from tests.referee.history import Cell, Record, Table, Value, Values, Write
from tests.referee.rules import COUNTS_ALL


def unrecorded(
    table: Table, cells: Mapping[str, Cell], found: Existence, shown: Values | None, records: Collection[Record]
) -> Iterator[str]:
    """What is missing of the row's last life, in words; ``records`` are those of the row."""
    if shown is None:
        for write in found.unseen:
            if not _is_told(write, cells, records):
                yield f"{write.site}'s edit {write.id} was lost with the row, and is not on record"
        return
    if found.unseen and not _of_existence(records):
        yield "a delete was overruled, and that is not on record"
    for name, cell in cells.items():
        if table.columns[name].name not in COUNTS_ALL:
            yield from _lost_values(cell, shown[name], records)


def _lost_values(cell: Cell, shown: Value, records: Collection[Record]) -> Iterator[str]:
    told = {record.loser for record in records if record.column == cell.column}
    for write in cell.last():
        value = cell.value(write)
        untyped = write.op == "insert" and value is None
        alike = any(cell.value(other) == value for other in cell.writes if cell.apart(write, other))
        if value != shown and value not in told and not untyped and not alike:
            yield f"{cell.column}: {write.site}'s {value!r} was overwritten unseen, and is not on record"


def _is_told(write: Write, cells: Mapping[str, Cell], records: Collection[Record]) -> bool:
    lost = {(name, cell.value(write)) for name, cell in cells.items() if write.writes(name)}
    return _of_existence(records) or any((record.column, record.loser) in lost for record in records)


def _of_existence(records: Collection[Record]) -> bool:
    return any(not record.column for record in records)


def unheard(
    earlier: Sequence[Write], later: Sequence[Write], cells: Mapping[str, Cell], records: Collection[Record]
) -> Iterator[str]:
    """Edits of an earlier life that nobody had seen who deleted the row or made it anew."""
    enders = [write for write in earlier if write.op == "delete"]
    for write in earlier:
        seen = any(write.id in cell.covered(ender) for cell in cells.values() for ender in enders)
        seen = seen or any(write.id in other.seen for other in later)
        if write.op != "delete" and not seen and not _is_told(write, cells, records):
            yield f"{write.site}'s edit {write.id} of the row's earlier life is not on record"

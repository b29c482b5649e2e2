"""Whether a row may be there in the end, and whether it must, by its writes and the table's delete rule.

An edit and a delete are concurrent when the delete's author had not seen the edit. What a delete saw raises no row.
Under ``loses`` a concurrent edit does, but for one of a column whose value decides: that has to be later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.referee.history import Cell, Table, Write
from tests.referee.rules import BY_VALUE


@dataclass(frozen=True, slots=True)
class Unseen:
    """An edit of a cell that no delete had seen. ``outdone``: beside a concurrent one that a delete had seen, so that
    that one may hold in the cell, and this one is not what the row could come back for."""

    write: Write
    cell: Cell
    outdone: bool


@dataclass(frozen=True, slots=True)
class Existence:
    """May the row be there, and must it? And what no delete had seen."""

    may: bool
    must: bool
    unseen: Sequence[Unseen]


def existence(writes: Sequence[Write], cells: Mapping[str, Cell], table: Table) -> Existence:
    """What the writes of the row's last life allow."""
    deletes = [write for write in writes if write.op == "delete"]
    if not deletes:
        return Existence(may=True, must=True, unseen=())
    born = [write for write in writes if write.op == "insert" and any(write.id in delete.seen for delete in deletes)]
    unseen = [one for cell in cells.values() for one in _unseen(cell, deletes, born)]
    if table.delete == "wins" or not unseen:
        return Existence(may=False, must=False, unseen=unseen)
    must = any(
        (table.delete == "loses" and table.columns[one.cell.column].name not in BY_VALUE)
        # Who edits what came back after a delete that he has seen is later than it.
        or all(delete.id in one.write.seen for delete in deletes)
        for one in unseen
        if not one.outdone
    )
    return Existence(may=True, must=must, unseen=unseen)


def _unseen(cell: Cell, deletes: Sequence[Write], born: Sequence[Write]) -> list[Unseen]:
    """``born``: the row's inserts that some delete had seen; each wrote the cell, be it with nothing."""
    gone = frozenset[str]().union(*map(cell.covered, deletes))
    seen = [write for write in cell.writes if write.id in gone]
    left = [write for write in cell.writes if write.id not in gone]
    first = [one for one in left if any(_apart(one, other) for other in born) or any(cell.apart(one, o) for o in seen)]
    return [Unseen(write, cell, write in first or any(cell.apart(write, other) for other in first)) for write in left]


def _apart(one: Write, other: Write) -> bool:
    return one is not other and one.id not in other.seen and other.id not in one.seen

"""Whether a row may be there in the end, and whether it must, by its writes and the table's delete rule.

An edit and a delete are concurrent when the delete's author had not seen the edit. What a delete saw raises no row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.referee.history import Cell, Write


@dataclass(frozen=True, slots=True)
class Existence:
    """May the row be there, and must it? ``unseen`` are the edits that no delete had seen."""

    may: bool
    must: bool
    unseen: Sequence[Write]


def existence(writes: Sequence[Write], cells: Mapping[str, Cell], rule: str) -> Existence:
    """What the writes of the row's last life allow."""
    deletes = [write for write in writes if write.op == "delete"]
    if not deletes:
        return Existence(may=True, must=True, unseen=())
    gone = {name: frozenset[str]().union(*map(cell.covered, deletes)) for name, cell in cells.items()}
    unseen = {write.id: write for name, cell in cells.items() for write in cell.writes if write.id not in gone[name]}
    if rule == "wins" or not unseen:
        return Existence(may=False, must=False, unseen=list(unseen.values()))
    standing = [write for write in unseen.values() if _stands(write, cells, gone)]
    if rule == "stamp":  # who edits what came back after a delete that he has seen is later than it
        standing = [write for write in standing if all(delete.id in write.seen for delete in deletes)]
    return Existence(may=True, must=bool(standing), unseen=list(unseen.values()))


def _stands(write: Write, cells: Mapping[str, Cell], gone: Mapping[str, frozenset[str]]) -> bool:
    """Is it an edit that, in some cell, cannot have lost against one that a delete had seen?"""
    return any(
        write.writes(name)
        and write.id not in gone[name]
        and not any(cell.apart(write, other) for other in cell.writes if other.id in gone[name])
        for name, cell in cells.items()
    )

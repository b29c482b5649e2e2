"""The rules that settle concurrent writes: which cell wins, and whether a deleted row stays deleted.

Every rule for a cell is a join: commutative, associative and idempotent, so that the merged value is a function of the
*set* of writes (invariant 3). The three rules here order by :class:`~replication.core.stamps.Stamp`, and differ in who
raises the epoch when writing (:func:`authority`):

- ``latest``: nobody does; the later moment wins.
- ``site``: the named site writes ``epoch seen + 1``, so its value beats whatever was concurrent with it, and a branch
  that has seen that value may edit it again.
- ``owner``: the site named in the row's owner column does, and the term is the stamp of the owner cell that the writer
  saw, so that an offline ex-owner cannot beat the new one by counting epochs (pitfall P4).

A delete carries what it saw. A cell is concurrent with it when its stamp is above that. ``DELETES`` says when a row
that was deleted lives on.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from replication.core.stamps import Stamp


class Cell(NamedTuple):
    """One column of one row: its stamp and its value in PostgreSQL's text form."""

    stamp: Stamp
    value: bytes | None


Join = Callable[[Cell, Cell], Cell]


def greater_stamp(left: Cell, right: Cell) -> Cell:
    """The cell with the greater stamp. Equal stamps with different values exist at the bottom only (rows that were
    there before replication): these are settled by their bytes, NULL below all."""
    return max(left, right, key=_order)


def _order(cell: Cell) -> tuple[Stamp, bool, bytes]:
    return cell.stamp, cell.value is not None, cell.value or b""


CELL_RULES: Mapping[str, Join] = {"latest": greater_stamp, "site": greater_stamp, "owner": greater_stamp}
"""Rule name -> join. The names are declared in :mod:`sitecfg`; a test holds the two lists equal."""

RAISES_EPOCH = frozenset({"site", "owner"})
"""Rules under which a write may carry an epoch or a term."""

Survives = Callable[[bool, bool], bool]
DELETES: Mapping[str, Survives] = {
    "wins": lambda concurrent, later: False,
    "loses": lambda concurrent, later: concurrent,
    "stamp": lambda concurrent, later: later,
}
"""Delete rule -> does the row live on, given that some write is concurrent with the delete, and that some such write
is also later than it."""

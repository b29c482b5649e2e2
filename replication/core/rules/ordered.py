"""Rules under which one of the written values wins: the joins are the greater of two under a total order.

To be total, each order ends with the stamp and the bytes: equal for two writes they are only at the bottom.
"""

from collections.abc import Callable
from typing import Any

from replication.core.rules.cells import Cell, Join, Rule, Write
from replication.core.rules.magnitude import magnitude
from replication.core.stamps import Stamp


def greater_stamp(left: Cell, right: Cell) -> Cell:
    """The cell with the greater stamp. Of one stamp a value beats its masks. Values of one stamp differ at the bottom
    only (rows that were there before replication): they are settled by their bytes, NULL below all."""
    return max(left, right, key=_by_stamp)


def _by_stamp(cell: Cell) -> tuple[Stamp, bool, bool, bytes]:
    return cell.stamp, not cell.masked, cell.value is not None, cell.value or b""


def _write_latest(before: Cell, write: Write) -> Cell:
    return Cell(Stamp(before.stamp.term, before.stamp.epoch, write.at), write.value)


def _write_with_authority(before: Cell, write: Write) -> Cell:
    """Who has the authority beats all that is concurrent, by an epoch above the one it saw; others keep that one."""
    term = max(before.stamp.term, write.term)
    return Cell(Stamp(term, before.stamp.epoch + write.authority, write.at), write.value)


def _write_as_owner(before: Cell, write: Write) -> Cell:
    """Whom a value tells of an owner cell that he has not seen is the owner no more, as far as anybody knows."""
    return _write_with_authority(before, write._replace(authority=write.authority and write.term >= before.stamp.term))


LATEST = Rule(greater_stamp, _write_latest)
SITE = Rule(greater_stamp, _write_with_authority)
OWNER = Rule(greater_stamp, _write_as_owner)


def _extreme(direction: int) -> Rule:
    """By epoch, then by value in the direction, then by moment. NULL is below every value, both ways."""

    def order(cell: Cell) -> tuple[Any, ...]:
        value = (0,) if cell.value is None else (1, _turned(magnitude(cell.value), direction))
        return cell.stamp.epoch, value, cell.stamp.moment, *_by_stamp(cell)

    def write(before: Cell, write: Write) -> Cell:
        """A correction against the direction beats what it saw by an epoch."""
        after = Cell(Stamp(0, before.stamp.epoch, write.at), write.value)
        corrected = Cell(Stamp(0, before.stamp.epoch + 1, write.at), write.value)
        return after if order(after) > order(before) else corrected

    return Rule(_greater(order), write)


def _turned(order: tuple[Any, ...], direction: int) -> Any:
    return order if direction > 0 else tuple(-part for part in order)


def _greater(order: Callable[[Cell], Any]) -> Join:
    return lambda left, right: max(left, right, key=order)


GREATEST, LEAST = _extreme(1), _extreme(-1)


def _first(cell: Cell) -> tuple[Any, ...]:
    """A value beats none; of two values the one with the least stamp."""
    is_set = cell.masked or cell.value is not None  # NULL needs no mask here: whether it is set decides
    return is_set, -cell.stamp.moment if is_set else cell.stamp.moment, *_by_stamp(cell)


FROZEN = Rule(_greater(_first), _write_latest)
"""A second write of a value is refused by the trigger at its own site."""

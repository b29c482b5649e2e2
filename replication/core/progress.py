"""How far an origin's changes have come, and what to do with a message: pure.

A position is (incarnation, LSN, transaction, commit time). It is stored in the transaction that stores the rows, so
that every change takes effect once (invariant 2). A message covers the half-open range ``(from_lsn, to_lsn]`` of its
origin's WAL; this range is its identity, whatever log it was read from.

Incarnations that share an LSN space form a *lineage*: a log that lost its tail is rebuilt from the slot under a new
name, and positions carry over. A position under a name that is not in the lineage cannot be compared (invariant 1).

1. What ends at or before the position is a duplicate.
2. What begins at or before the position continues it.
3. What begins behind it leaves a gap: the origin stops, and the gap is named. It is never skipped.
"""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple


class Position(NamedTuple):
    """Up to where an origin was applied. Times are µs since 2000-01-01 UTC."""

    incarnation: str
    lsn: int
    xid: int
    commit_us: int


class Step(Enum):
    """What a reader does with a message."""

    APPLY = "apply"
    DUPLICATE = "duplicate"
    GAP = "gap"


def step(position: int | None, from_lsn: int, to_lsn: int) -> Step:
    """Compare a message's range with the LSN applied so far (None: nothing yet, the log must start at its birth)."""
    if position is None:
        return Step.GAP
    if to_lsn <= position:
        return Step.DUPLICATE
    return Step.APPLY if from_lsn <= position else Step.GAP


def adopt(position: Position | None, lineage: Sequence[tuple[str, int]]) -> int | None:
    """The LSN at which a reader stands in a log that opens with this lineage, or None where it cannot be compared.

    ``lineage`` lists (incarnation, LSN where its log starts), oldest first, the log's own last. A reader that has
    nothing yet stands at the birth of the oldest.
    """
    if not lineage:
        return None
    if position is None:
        return lineage[0][1]
    return position.lsn if position.incarnation in {name for name, _ in lineage} else None


def stable(applied: Sequence[int | None]) -> int | None:
    """The LSN that every peer has durably applied, or None while one of them was never heard."""
    known = [lsn for lsn in applied if lsn is not None]
    return min(known) if known and len(known) == len(applied) else None


def format_lsn(lsn: int) -> str:
    """PostgreSQL's spelling, '16/B374D848'."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def parse_lsn(text: str) -> int:
    """Read PostgreSQL's spelling."""
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)

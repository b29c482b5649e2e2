"""Which rows a table shows as they are, where several claim one unique key or a parent is gone: pure.

1. A row's state holds what was written: that is what it *claims*. What its table shows is derived from the states of
   all rows: it needs no stamp, does not travel, and is the same wherever the same changes have arrived (invariant 3).
2. Of the rows that claim one value of a unique key, the one with the oldest claim holds it. A claim is as old as the
   newest cell of the key. The others show a marked text or NULL in its place, or wait, hidden. Who claims depends on
   the rows' existence alone, never on what is shown: so nothing goes in circles.
3. A row whose parent is out of sight is out of sight too. Where the parent is dead the foreign key's rule decides: it
   *returns* (and then it is not dead), the row *falls*, or the reference shows NULL.
4. When the holder lets go, or the parent comes back, what was claimed is shown.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from replication.core.merge import Row

Key = tuple[bytes, ...]


class Hidden(StrEnum):
    """Why a row that exists is not in its table."""

    NO = ""
    UNIQUE = "unique"
    """Another row holds the unique key that it claims."""
    PARENT = "parent"
    """Its parent is hidden."""
    FALLEN = "fallen"
    """Its parent is dead, and its foreign key says ``falls``. It claims nothing."""


@dataclass(frozen=True, slots=True)
class UniqueKey:
    """A unique key, and what becomes of the younger of two claims on it."""

    name: str
    columns: tuple[str, ...]
    """All that its expressions and its condition read, as far as it is stored."""
    outcome: str
    """``mark``, ``null`` or ``hide``."""
    column: str = ""
    """Where the marked text or NULL stands."""
    length: int = 0
    """How many characters that column takes; 0: any number."""


class Claim(NamedTuple):
    """A row's claim on one value of a unique key; the value is known by a number only."""

    value: int
    key: Key
    age: int


@dataclass(frozen=True, slots=True)
class Appearance:
    """How a row that exists is shown."""

    hidden: Hidden = Hidden.NO
    instead: Mapping[str, bytes | None] = field(default_factory=dict)
    """Column -> what stands there in place of the row's own value."""


PLAIN = Appearance()


def age(row: Row, columns: Collection[str]) -> int:
    """How old a claim on a unique key of these columns is: the moment of its newest cell."""
    return max((row.cells[name].stamp.moment for name in columns if name in row.cells), default=row.base)


def holders(claims: Iterable[Claim]) -> dict[int, Claim]:
    """Who holds each value: the oldest claim and, of rows written at one moment, the one with the least key."""
    held: dict[int, Claim] = {}
    for claim in claims:
        best = held.get(claim.value)
        if best is None or (claim.age, claim.key) < (best.age, best.key):
            held[claim.value] = claim
    return held


def lost(claims: Collection[Claim]) -> dict[Key, Claim]:
    """The rows whose claim another holds, each with the claim that holds."""
    held = holders(claims)
    return {claim.key: held[claim.value] for claim in claims if held[claim.value].key != claim.key}


def marked(value: bytes | None, key: Key, length: int = 0) -> bytes:
    """The text that a row shows in place of a value that another row holds: the value and a mark of the row's own.

    The value is cut where the column takes no more characters.
    """
    mark = "~" + hashlib.sha256(b"\0".join(key)).hexdigest()[:8]
    text = (value or b"").decode()
    return ((text[: max(0, length - len(mark))] if length else text) + mark).encode()


def appearance(
    row: Row, key: Key, *, lost: Iterable[UniqueKey] = (), hidden: Hidden = Hidden.NO, unset: Iterable[str] = ()
) -> Appearance:
    """How a row is shown that lost these unique keys, is hidden for its parent's sake, or refers by the columns
    ``unset`` to a parent that is out of sight."""
    keys = sorted(lost, key=lambda one: one.name)
    if hidden is Hidden.NO and any(one.outcome == "hide" for one in keys):
        hidden = Hidden.UNIQUE
    instead: dict[str, bytes | None] = dict.fromkeys(unset)
    for one in keys:
        if one.outcome == "null":
            instead[one.column] = None
    for one in keys:
        if one.outcome == "mark" and one.column not in instead:
            cell = row.cells.get(one.column)
            instead[one.column] = marked(cell.value if cell else None, key, one.length)
    return Appearance(hidden, {} if hidden else instead)

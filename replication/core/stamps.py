"""Stamps: when, where and with which authority a cell was written.

A *moment* is one 64-bit integer, ``hlc << 10 | site``: a hybrid logical clock in microseconds since 2000-01-01 UTC
(PostgreSQL's epoch) and the number of the site (1 to 1023) that wrote. Two sites never make the same moment.

A *stamp* is ``(term, epoch, moment)``, ordered lexicographically. Term and epoch are 0 except under rules that give
a site authority over a column (:mod:`replication.core.rules`). The term's high bits are the *generation* of the
column's rule, 0 for the first: so what was written after a rule was changed is above all that was written before.

A row keeps its stamps in one ``bigint[]`` column, named ``kuroshio``::

    [base, seen, key, number, key, number, ...]

1. ``base`` is the moment of the insert; every cell without an entry of its own was written then.
2. ``seen`` is the newest moment in the row that the last writer had seen. It belongs to that write, not to the merged
   state: comparisons of rows leave it out. A write is fresh (travels) when the newest moment is greater than ``seen``.
3. The pairs are sorted by key. A key is ``cell << 2 | kind``; the kind says whether the number is the cell's moment,
   epoch, term or generation. Keys lie in [2^33, 2^34): no epoch is as large, and no moment as small, so
   ``array_position`` finds a key and never a number.
4. ``(LIFE, n)`` stands in a row that lives for the n-th time, n > 1.
5. A key above 2^34 marks a cell as masked: what this site shows stands for a value that it may not have.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

SITE_BITS = 10
SITE_MASK = (1 << SITE_BITS) - 1
MOMENT, EPOCH, TERM, GENERATION = 0, 1, 2, 3
KIND_NAMES = ("moment", "epoch", "term", "generation")
"""As the wire names them, before a colon and the column."""
LIFE = 1 << 33
MASK_FLAG = 1 << 34
BOTTOM = 1
"""The base of a row that existed before its table was replicated: the same at all sites, older than any write."""

_CELL_FLAG = 1 << 31
_TERM_BITS = 63
_TERM_MASK = (1 << _TERM_BITS) - 1


class Stamp(NamedTuple):
    """The version of one cell. Greater is newer under every rule that orders by stamp."""

    term: int
    epoch: int
    moment: int

    @property
    def generation(self) -> int:
        """How often the column's rule had been changed when the cell was written."""
        return self.term >> _TERM_BITS

    def in_generation(self, generation: int) -> "Stamp":
        """The same stamp in a generation."""
        return self._replace(term=term_in(generation, term_within(self.term)))


def term_in(generation: int, term: int) -> int:
    """A term, as it is compared, from the generation and the term within it: an integer of more than 64 bits."""
    return generation << _TERM_BITS | term


def term_within(term: int) -> int:
    """A term without its generation."""
    return term & _TERM_MASK


NO_STAMP = Stamp(0, 0, 0)


def moment(hlc_us: int, site: int) -> int:
    """Pack a clock reading (µs since 2000-01-01 UTC) and a site number."""
    return hlc_us << SITE_BITS | site


def site_of(moment_: int) -> int:
    """The number of the site that wrote at this moment."""
    return moment_ & SITE_MASK


def hlc_of(moment_: int) -> int:
    """The clock reading of this moment, µs since 2000-01-01 UTC."""
    return moment_ >> SITE_BITS


def cell_id(column: str) -> int:
    """The identity of a column's cells: 32 bits with the highest set, from the column's name, the same at all sites."""
    digest = hashlib.md5(column.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:4], "big") | _CELL_FLAG


def cell_key(column: str, kind: int = MOMENT) -> int:
    """The key under which a row's stamps hold a column's moment, epoch, term or generation."""
    return cell_id(column) << 2 | kind


def mask_key(column: str) -> int:
    """The key under which a row's stamps mark a column as masked."""
    return cell_key(column) | MASK_FLAG


@dataclass(frozen=True, slots=True)
class Stamps:
    """A row's stamps, unpacked. ``cells`` is keyed by :func:`cell_id`; a cell that is not in it carries the base."""

    base: int
    seen: int = 0
    life: int = 1
    cells: dict[int, Stamp] = field(default_factory=dict)
    masked: frozenset[int] = frozenset()
    """The cells that are masked at this site: what belongs to the site, and not to the merged state."""

    @classmethod
    def unpack(cls, packed: Sequence[int]) -> "Stamps":
        """Read the array form."""
        life, parts, masked = 1, dict[int, list[int]](), list[int]()
        for key, number in zip(packed[2::2], packed[3::2], strict=True):
            if key == LIFE:
                life = number
            elif key & MASK_FLAG:
                masked.append((key ^ MASK_FLAG) >> 2)
            else:
                parts.setdefault(key >> 2, [0, 0, 0, 0])[key & 3] = number
        cells = {
            cell: Stamp(term_in(p[GENERATION], p[TERM]), p[EPOCH], p[MOMENT] or packed[0]) for cell, p in parts.items()
        }
        return cls(packed[0], packed[1], life, cells, frozenset(masked))

    def pack(self) -> list[int]:
        """The array form, canonical: sorted, nothing in it that the base already says."""
        pairs = [(LIFE, self.life)] if self.life > 1 else []
        for cell, stamp in self.cells.items():
            if stamp.moment != self.base:
                pairs.append((cell << 2 | MOMENT, stamp.moment))
            if stamp.epoch:
                pairs.append((cell << 2 | EPOCH, stamp.epoch))
            if term_within(stamp.term):
                pairs.append((cell << 2 | TERM, term_within(stamp.term)))
            if stamp.generation:
                pairs.append((cell << 2 | GENERATION, stamp.generation))
        pairs += [(cell << 2 | MASK_FLAG, 1) for cell in self.masked]
        return [self.base, self.seen, *(number for pair in sorted(pairs) for number in pair)]

    def of(self, cell: int) -> Stamp:
        """The stamp of a cell."""
        return self.cells.get(cell) or Stamp(0, 0, self.base)

    @property
    def newest(self) -> int:
        """The greatest moment in the row."""
        return max([self.base, *(stamp.moment for stamp in self.cells.values())])


def newest(packed: Sequence[int]) -> int:
    """The greatest moment in an array form (no other number in it is greater than the newest moment)."""
    return max(packed[0], max(packed[3::2], default=0))


def join(left: Stamps, right: Stamps) -> Stamps:
    """The pointwise greatest of two rows' stamps: what two deletes together have seen."""
    base = max(left.base, right.base)
    cells = left.cells.keys() | right.cells.keys()
    return Stamps(base, 0, max(left.life, right.life), {c: max(left.of(c), right.of(c)) for c in cells})


def join_moments(ranges: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """The least range that holds all of these; (0, 0) is none."""
    known = [found for found in ranges if found[1]]
    return (min(low for low, _ in known), max(high for _, high in known)) if known else (0, 0)

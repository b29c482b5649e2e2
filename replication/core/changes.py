"""One change of one row, as the merge wants it, and its parked form. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from replication.core.merge import Row, RowRules
from replication.core.rules import NO_PARTS, Cell, Parts, parts_from_json
from replication.core.stamps import Stamp, Stamps, term_within

Key = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Author:
    """Where a change comes from: its origin, its range in the origin's WAL, and what the origin had applied by then."""

    origin: str
    number: int
    from_lsn: int
    to_lsn: int
    applied: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Change:
    """An insert (all cells), an update (the cells that changed) or a delete (none)."""

    table: tuple[str, str]
    op: str
    key: Key
    cells: Mapping[str, bytes | None]
    moment: int
    seen: int
    author: Author
    life: int = 1
    authority: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Column -> (term, epoch), where a rule gives them; the term begins with the generation."""
    parts: Mapping[str, tuple[int, Parts]] = field(default_factory=dict)
    """Column -> (moment of the row's insert, its folded parts), where its rule has any."""
    saw: tuple[int, ...] = ()
    committed: int = 0
    """Of a delete: the LSN where its transaction committed."""
    masked: frozenset[str] = frozenset()
    """The cells whose values stand for what this site may not have."""
    moments: Mapping[str, int] = field(default_factory=dict)
    """The moments of cells that were written at another one than the change: in a whole row, since its insert."""
    is_whole: bool = False
    """A row as it stands at a site, sent because who may see it has changed: nobody's write."""
    referential: bool = False
    """Of a delete: it was made by the database, with the delete of a parent (pitfall P7)."""

    def row(self, rules: RowRules) -> Row:
        """This change as a partial state: applying it is merging it."""
        if self.op == "D":
            return Row(self.life, 0, self.moment, Stamps.unpack(self.saw or (0, 0)), cascaded=self.referential)
        cells = {
            name: Cell(stamp, value, rules.unfold(name, parts, value, base, stamp.generation), name in self.masked)
            for name, value in self.cells.items()
            for stamp in [Stamp(*self.authority.get(name, (0, 0)), self.moments.get(name, self.moment))]
            for base, parts in [self.parts.get(name, (self.moment, NO_PARTS))]
        }
        row = Row(self.life, self.moment if self.op == "I" else 0, cells=cells)
        return row.hearing(self.seen) if self.is_whole else row

    @property
    def latest(self) -> int:
        """The greatest number in it that is compared with moments: what is written here next is stamped above it. A
        count among the parts is far below any moment; one that is not would leave no room for the next."""
        terms = [term_within(term) for term, _ in self.authority.values()]
        parts = [max([base, *(order for order, _ in found.values())]) for base, found in self.parts.values()]
        return max([self.moment, self.seen, *self.saw, *self.moments.values(), *terms, *parts])

    def to_json(self) -> dict[str, Any]:
        """The parked form."""
        return {
            "cells": {name: None if value is None else value.decode() for name, value in self.cells.items()},
            "seen": self.seen,
            "life": self.life,
            "authority": {name: list(pair) for name, pair in self.authority.items()},
            "parts": {name: list(pair) for name, pair in self.parts.items()},
            "saw": list(self.saw),
            "committed": self.committed,
            "masked": sorted(self.masked),
            "moments": dict(self.moments),
            "is_whole": self.is_whole,
            "referential": self.referential,
            "from_lsn": self.author.from_lsn,
            "applied": {str(site): lsn for site, lsn in self.author.applied.items()},
        }


def from_json(
    table: tuple[str, str],
    op: str,
    key: Sequence[str],
    moment: int,
    origin: tuple[str, int],
    to_lsn: int,
    body: Mapping[str, Any],
) -> Change:
    """Read the parked form."""
    author = Author(*origin, body["from_lsn"], to_lsn, {int(site): lsn for site, lsn in body["applied"].items()})
    return Change(
        table,
        op,
        tuple(part.encode() for part in key),
        {name: None if value is None else value.encode() for name, value in body["cells"].items()},
        moment,
        body["seen"],
        author,
        body["life"],
        {name: (pair[0], pair[1]) for name, pair in body["authority"].items()},
        {name: (base, parts_from_json(parts)) for name, (base, parts) in body["parts"].items()},
        tuple(body["saw"]),
        body["committed"],
        frozenset(body.get("masked", ())),
        body.get("moments", {}),
        body.get("is_whole", False),
        body.get("referential", False),
    )

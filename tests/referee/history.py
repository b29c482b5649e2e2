"""What the referee is told: declared rules, writes and the end. Plain data; values are PostgreSQL's text forms.

``seen`` of a write are the writes that had been applied at its site when it was made. It is *observed* there, in the
transaction of the write itself, and not derived from any stamp or position.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Value = str | None
Values = Mapping[str, Value]
Rows = Mapping[str, Values]
"""Key -> the row that a reader sees."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What is declared of a column; ``site`` names who has authority under the rule of that name. ``written_by`` has
    the rule that a site's own writes follow instead: under ``site`` they have authority, whoever owns the row."""

    name: str
    site: str = ""
    written_by: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Table:
    """What is declared of a table: the rule of each column, its delete rule, and its owner column."""

    columns: Mapping[str, Rule]
    delete: str = "stamp"
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Write:
    """One local write of one row: what its author had before him, and what stood there when he had written."""

    id: str
    site: str
    op: Literal["insert", "update", "delete"]
    key: str
    seen: frozenset[str]
    before: Values = field(default_factory=dict)
    after: Values = field(default_factory=dict)

    def writes(self, column: str) -> bool:
        """Is it an edit of this column? To set a column to its own value is none."""
        if self.op == "update":
            return self.before[column] != self.after[column]
        return self.op == "insert"


@dataclass(frozen=True, slots=True)
class Record:
    """A conflict that some site has on record; ``column`` is empty for the row's existence."""

    key: str
    column: str
    loser: Value


@dataclass(frozen=True, slots=True)
class End:
    """How it ended: what each site shows, and what is on record at any of them."""

    rows: Mapping[str, Rows]
    records: Collection[Record] = ()


class Cell:
    """The writes of one column of one row, in an order in which nobody precedes what he saw.

    A write is *below* another whose author had its value before him, or one that had been written over it.
    """

    def __init__(self, column: str, writes: Sequence[Write]) -> None:
        self.column = column
        self.writes = [write for write in writes if write.writes(column)]
        self.below: dict[str, frozenset[str]] = {}
        for write in self.writes:
            self.below[write.id] = self.covered(write)

    def covered(self, author: Write) -> frozenset[str]:
        """Of this cell's writes, all that the author of some write of the row had seen, directly or written over."""
        seen = author.seen.intersection(self.below)
        return seen.union(*(self.below[other] for other in seen))

    def saw(self, author: Write, other: Write) -> bool:
        return other.id in self.below[author.id]

    def apart(self, one: Write, other: Write) -> bool:
        """Concurrent: two writes whose authors had neither the other's."""
        return one is not other and not self.saw(one, other) and not self.saw(other, one)

    def value(self, write: Write) -> Value:
        return write.after[self.column]

    def last(self, among: Iterable[Write] | None = None) -> list[Write]:
        """Those that none of the others was written over."""
        candidates = list(self.writes if among is None else among)
        return [one for one in candidates if not any(self.saw(other, one) for other in candidates)]


def lives(writes: Sequence[Write]) -> dict[str, int]:
    """In which life of its row each write was made: an insert by one who had seen the row go begins the next."""
    found: dict[str, int] = {}
    for write in writes:
        newest = max((found[other] for other in write.seen if other in found), default=0)
        found[write.id] = newest + 1 if write.op == "insert" else newest
    return found

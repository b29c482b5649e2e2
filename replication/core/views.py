"""What a site may see of another's rows: pure.

1. What reaches a site is decided by columns of the row itself, so every site decides alike.
2. A row that does not reach a site is not sent there. A column that does not is sent as a mask, under the stamp of the
   value that it stands for: so all sites hold the same stamps, and a mask never beats its value.
3. Sites that may see the same share a :class:`View`, and with it the streams that are made of it. The view of who sees
   everything has no name, and costs nothing.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Values = Mapping[str, bytes | None]
"""The values of a row's deciding columns."""


class Mask(NamedTuple):
    """What stands for a value: ``nothing``, a ``hash``, or the last ``kept`` characters (``part``)."""

    kind: str
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Reach:
    """When something reaches a site: always, never, or unless a column of the row holds one of some values."""

    always: bool = True
    column: str | None = None
    refused: frozenset[bytes] = frozenset()

    def admits(self, values: Values) -> bool:
        """Does it, for a row with these values?"""
        return self.always if self.column is None else values.get(self.column) not in self.refused


ALWAYS, NEVER = Reach(), Reach(always=False)


class Sight(NamedTuple):
    """What a site may see of one row."""

    admits: bool
    hidden: frozenset[str] = frozenset()
    """The columns that it sees masked."""


@dataclass(frozen=True, slots=True)
class TableView:
    """What a site may see of one table."""

    rows: Reach = ALWAYS
    cells: Mapping[str, tuple[Reach, Mask]] = field(default_factory=dict)
    """Column -> when its value is seen, and what is seen otherwise."""

    @property
    def is_everything(self) -> bool:
        return self.rows == ALWAYS and not self.cells

    @property
    def reaches(self) -> list[Reach]:
        """When its rows, and each of its cells, are seen."""
        return [self.rows, *(reach for reach, _ in self.cells.values())]

    @property
    def deciding(self) -> frozenset[str]:
        """The columns that it is decided by."""
        return frozenset(reach.column for reach in self.reaches if reach.column)

    def sight(self, values: Values) -> Sight:
        """What is seen of a row with these values."""
        if not self.rows.admits(values):
            return Sight(admits=False)
        hidden = frozenset(name for name, (reach, _) in self.cells.items() if not reach.admits(values))
        return Sight(admits=True, hidden=hidden)

    def as_data(self) -> Any:
        """The same for the same view, as JSON takes it."""
        cells = {name: [_as_data(reach), *mask] for name, (reach, mask) in self.cells.items()}
        return [_as_data(self.rows), cells]

    @classmethod
    def from_data(cls, data: Any) -> "TableView":
        """The view that these data are of."""
        rows, cells = data
        return cls(_reach(rows), {name: (_reach(reach), Mask(*mask)) for name, (reach, *mask) in cells.items()})


WHOLE_TABLE = TableView()


def _as_data(reach: Reach) -> Any:
    return [reach.always, reach.column, sorted(value.decode() for value in reach.refused)]


def _reach(data: Any) -> Reach:
    always, column, refused = data
    return Reach(always, column, frozenset(value.encode() for value in refused))


@dataclass(frozen=True, slots=True)
class View:
    """What a site may see: the tables that it does not see in full."""

    tables: Mapping[tuple[str, str], TableView] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Eight hexadecimal digits that are the same at every site; empty for the view of everything."""
        if not self.tables:
            return ""
        found = {".".join(table): view.as_data() for table, view in self.tables.items()}
        canonical = json.dumps(found, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:8]

    def of(self, table: tuple[str, str]) -> TableView:
        """What is seen of one table."""
        return self.tables.get(table, WHOLE_TABLE)


EVERYTHING = View()


def deciding_columns(views: Collection[View], table: tuple[str, str]) -> tuple[str, ...]:
    """The columns of a table that some of these views are decided by."""
    return tuple(sorted(frozenset().union(*(view.of(table).deciding for view in views))))


def changes_for(view: TableView, before: Collection[Values], after: Values) -> bool:
    """May a site see more or less of a row than it did, by what the row held before?"""
    now = view.sight(after)
    return any(view.sight(values) != now for values in before)

"""What a comparison found: plain data, as JSON and as lines for a person. Keys and column names, never values."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from replication.postgres.catalog import STAMPS

OF_ROWS = ("data", "stamps", "missing", "hidden")
"""The kinds of difference that a table's count is of."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One row, or one table, that is not the same at all sites.

    ``kind`` is *data* (some column differs), *stamps* (its versions alone do), *missing* (not at all sites),
    *hidden* (it is out of sight at all sites, and not the same), *tombstone* (a row that lives beside its own),
    *exposed* (at a site that is not entitled to it), or *table* (not the same table, or not replicated, at all sites).
    """

    table: str
    kind: str
    key: Mapping[str, str] = field(default_factory=dict)
    columns: Sequence[str] = ()
    at: Sequence[str] = ()
    """The sites that have the row (or the table)."""
    missing_at: Sequence[str] = ()
    groups: Sequence[Sequence[str]] = ()
    """The sites that agree with each other."""
    detail: str = ""

    def __str__(self) -> str:
        key = f" ({', '.join(f'{name} = {text}' for name, text in self.key.items())})" if self.key else ""
        return f"{self.table}{key}: {self._what()}"

    def _what(self) -> str:
        parts = [self.detail] if self.detail else []
        if self.kind == "missing":
            where = "only at" if len(self.at) == 1 and len(self.missing_at) > 1 else "at"
            parts.append(f"{where} {', '.join(self.at)}, missing at {', '.join(self.missing_at)}")
        if self.columns:
            named = ", ".join("its stamps" if name == STAMPS else name for name in self.columns)
            parts.append(f"{named} differ{'s' if len(self.columns) == 1 and self.columns[0] != STAMPS else ''}")
        if len(self.groups) > 1:
            parts.append(" | ".join(", ".join(group) for group in self.groups))
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class ParkedChange:
    """A change that a site has not taken."""

    site: str
    table: str
    key: Sequence[str]
    op: str
    origin: str
    reason: str
    detail: str

    def __str__(self) -> str:
        detail = f": {self.detail}" if self.detail else ""
        return f"{self.site}: {self.table} ({', '.join(self.key)}) from {self.origin} waits, {self.reason}{detail}"


@dataclass(slots=True)
class TableResult:
    """Rows by site, and how many differ: of these the first are named."""

    rows: dict[str, int] = field(default_factory=dict)
    differing: int = 0


@dataclass(slots=True)
class Report:
    """``equal`` is None where it could not be told: ``undecided`` says why."""

    tables: dict[str, TableResult] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    parked: list[ParkedChange] = field(default_factory=list)
    parked_total: int = 0
    unreachable: dict[str, str] = field(default_factory=dict)
    undecided: list[str] = field(default_factory=list)

    def add(self, other: "Report") -> None:
        """Take in what was found in another table."""
        self.tables |= other.tables
        self.differences += other.differences
        self.undecided += other.undecided

    @property
    def unnamed(self) -> int:
        """How many rows differ that are not among the differences."""
        named = sum(difference.kind in OF_ROWS for difference in self.differences)
        return sum(result.differing for result in self.tables.values()) - named

    @property
    def equal(self) -> bool | None:
        """A difference that was found stands, whatever else could not be told."""
        if self.differences or self.parked:
            return False
        return None if self.undecided or self.unreachable else True

    def as_json(self) -> dict[str, Any]:
        """The shape that scripts read."""
        return {
            "equal": self.equal,
            "tables": {name: asdict(result) for name, result in self.tables.items()},
            "differences": [asdict(difference) for difference in self.differences],
            "parked": [asdict(change) for change in self.parked],
            "parked_total": self.parked_total,
            "unreachable": sorted(self.unreachable),
            "undecided": self.undecided,
        }

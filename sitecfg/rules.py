"""What the rules say, as the programs read it.

This package owns the rules' names and parameters; `replication.core` implements them, and a test
holds the two lists equal. A table without rules has the defaults: each column by `latest`, a
delete by its stamp.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType

# Each column rule with the parameters that it takes.
COLUMN_RULES: Mapping[str, frozenset[str]] = MappingProxyType(
    {"latest": frozenset(), "site": frozenset({"site"}), "owner": frozenset()}
)
# How a delete stands against a concurrent edit.
DELETE_RULES = ("stamp", "wins", "loses")


@dataclass(frozen=True)
class ColumnRule:
    """How one column's concurrent edits are settled; `site` is whose value wins under `site`."""

    rule: str = "latest"
    site: str | None = None


LATEST = ColumnRule()


@dataclass(frozen=True)
class TableRules:
    """One table's rules.

    `owner` is the column that names the row's owner. `columns` has the columns
    that the files name; every other follows `latest`. A group's columns share a stamp and a rule.
    """

    owner: str | None = None
    delete: str = "stamp"
    columns: Mapping[str, ColumnRule] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def column(self, name: str) -> ColumnRule:
        """Return the rule of a column, whether or not it is named in the files."""
        return self.columns.get(name, LATEST)


@dataclass(frozen=True)
class Rules:
    """All tables' rules, and the tables that stay at their site."""

    tables: Mapping[str, TableRules] = field(default_factory=dict)
    local: tuple[str, ...] = ()

    def table(self, name: str) -> TableRules:
        """Return the rules of `schema.table`; a table that no file names has the defaults."""
        return self.tables.get(name, TableRules())

    def is_local(self, name: str) -> bool:
        """Say whether a table is declared local to its site."""
        return any(fnmatchcase(name, pattern) for pattern in self.local)

    @property
    def replicated(self) -> tuple[str, ...]:
        """The tables that the files put under rules, by name."""
        return tuple(sorted(self.tables))

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits that change when, and only when, a table's rules do."""
        tables = {name: asdict(rules) for name, rules in self.tables.items()}
        canonical = json.dumps(tables, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

"""What the rules say, as the programs read it.

This package owns the rules' names and parameters; `replication.core` implements them, and a test
holds the two lists equal. What no file names has the defaults: each column by `latest`, a delete by
its stamp, a claim on a unique key waits hidden, a deleted parent returns, everything goes everywhere.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

# Each column rule with the parameters that it takes.
COLUMN_RULES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "latest": frozenset(),
        "site": frozenset({"site"}),
        "owner": frozenset(),
        "counter": frozenset(),
        "set": frozenset(),
        "append": frozenset(),
        "greatest": frozenset(),
        "least": frozenset(),
        "frozen": frozenset(),
    }
)
# Rules that compare stamps alone and differ in who raises the epoch: one lattice. So a column may follow one of them
# or another as its row's owner says, or who writes it, and cells that share a stamp, a group's, win or lose together.
STAMP_ORDERED = frozenset({"latest", "site", "owner"})
# Rules that settle a cell by its stamp alone, so that a mask in the value's place does no harm.
MASKABLE = STAMP_ORDERED | {"frozen"}
# Rules whose value may be one that nobody wrote, put together from several writes.
COMBINED = frozenset({"counter", "set", "append"})
# The rules below decide what is shown of rows, not what is in them: when they change each site derives it anew
# (replication/apply/deriving.py), so they have no generation.
# How a delete stands against a concurrent edit.
DELETE_RULES = ("stamp", "wins", "loses")
# What the younger of two claims on a unique key shows: a marked text, NULL, or nothing while it waits hidden.
UNIQUE_OUTCOMES = ("mark", "null", "hide")
# What follows when a parent is deleted and concurrently given a child.
PARENT_RULES = ("returns", "falls", "null")


@dataclass(frozen=True)
class Share:
    """Which sites receive something: `sites`; or, where `column` is given, those that `by_value` has for what that
    column of the row itself holds, and all of them for a value that it does not name."""

    sites: tuple[str, ...] = ()
    column: str | None = None
    by_value: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    def reaches(self, site: str, value: str | None) -> bool:
        """Say whether a site receives it, where the deciding column holds `value`."""
        if self.column is None:
            return site in self.sites
        return value is None or site in self.by_value.get(value, (site,))


@dataclass(frozen=True)
class Mask:
    """What a site that a column is not shared with gets instead: `nothing`, a `hash`, or the last `kept` characters
    (a `part`)."""

    kind: str = "nothing"
    kept: int = 0


@dataclass(frozen=True)
class ColumnRule:
    """How one column's concurrent edits are settled, and who receives its values.

    `site` is whose value wins under `site`. `review` asks a person after the sites have converged. `owned_by` has the
    rule and the site that hold instead in rows of that owner. `written_by` has the rule that a site's own writes
    follow, whoever owns the row: under `site` that site has authority, under `owner` where it owns the row, under
    `latest` never. `mask` is there exactly where `share` is.
    `generation` is raised when the rule, or who has authority under it, changes: what was written in an earlier one
    loses against what is written in a later one. `was` has the rules of the earlier ones, oldest first; empty: the
    same.
    """

    rule: str = "latest"
    site: str | None = None
    review: bool = False
    owned_by: Mapping[str, "ColumnRule"] = field(default_factory=dict, hash=False)
    written_by: Mapping[str, str] = field(default_factory=dict, hash=False)
    share: Share | None = None
    mask: Mask | None = None
    generation: int = 1
    was: tuple[str, ...] = ()

    @property
    def earlier(self) -> tuple[str, ...]:
        """The rule of each earlier generation, oldest first."""
        return self.was or (self.rule,) * (self.generation - 1)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The rule of each generation, oldest first."""
        return (*self.earlier, self.rule)

    @property
    def names(self) -> frozenset[str]:
        """The rules that the column follows, or followed, in one row or another."""
        return frozenset({*self.kinds, *(other.rule for other in self.owned_by.values()), *self.written_by.values()})


@dataclass(frozen=True)
class UniqueRule:
    """What becomes of the younger of two claims on a unique key."""

    outcome: str = "hide"
    review: bool = False


LATEST = ColumnRule()
HIDE = UniqueRule()
RETURNS = "returns"


@dataclass(frozen=True)
class TableRules:
    """One table's rules.

    `owner` is the column that names the row's owner. `columns` has the columns that the files name; every other
    follows `latest`. A group's columns share a stamp and a rule. `unique_keys` go by the name of the index or
    constraint, `parents` by that of the foreign key. `share` is for whole rows. `renamed` has the new name of a column
    that was renamed while the sites ran; all else here goes by the first name that a column had (`first_name`).
    """

    owner: str | None = None
    delete: str = "stamp"
    columns: Mapping[str, ColumnRule] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unique_keys: Mapping[str, UniqueRule] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)
    share: Share | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)

    def first_name(self, column: str) -> str:
        """Return the name that a column had before it was renamed: by that its cells are known everywhere."""
        former = {new: old for old, new in self.renamed.items()}
        while column in former:
            column = former.pop(column)
        return column

    @property
    def declared_columns(self) -> tuple[str, ...]:
        """The columns that the files name, with a rule or in a group."""
        return tuple(sorted({*self.columns, *(name for columns in self.groups.values() for name in columns)}))

    def column(self, name: str) -> ColumnRule:
        """Return the rule of a column, whether or not it is named in the files."""
        return self.columns.get(self.first_name(name), LATEST)

    def unique_key(self, name: str) -> UniqueRule:
        """Return the rule of a unique index or constraint, named or not."""
        return self.unique_keys.get(name, HIDE)

    def parent(self, name: str) -> str:
        """Return what a foreign key says of a parent that was deleted meanwhile, named or not."""
        return self.parents.get(name, RETURNS)


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
        """Twelve hexadecimal digits that change when, and only when, a table's rules do.

        A default that is written out is no change; nor is what a later version of this program adds with a default.
        """
        tables = {name: _beyond_defaults(_without_defaults(rules)) for name, rules in self.tables.items()}
        canonical = json.dumps(tables, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _without_defaults(rules: TableRules) -> TableRules:
    """Leave out the names to which a file gives what they have anyway, and new names: what travels has first ones."""
    return replace(
        rules,
        columns={name: rule for name, rule in rules.columns.items() if rule != LATEST},
        unique_keys={name: rule for name, rule in rules.unique_keys.items() if rule != HIDE},
        parents={name: rule for name, rule in rules.parents.items() if rule != RETURNS},
        renamed={},
    )


def _beyond_defaults(value: Any) -> Any:
    """Turn a rule into what JSON takes, without the fields that have their defaults."""
    if isinstance(value, Mapping):
        return {name: _beyond_defaults(part) for name, part in value.items()}
    if not is_dataclass(value) or isinstance(value, type):
        return value
    default = type(value)()
    said = {each.name: getattr(value, each.name) for each in fields(value)}
    return {name: _beyond_defaults(part) for name, part in said.items() if part != getattr(default, name)}

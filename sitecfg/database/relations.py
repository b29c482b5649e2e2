"""What the judgement wants to know of a table, as plain data."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Column:
    """A column; `type` is as format_type spells it. `computed_from` has the columns of a generated column's
    expression, and is None for every other."""

    type: str
    nullable: bool = True
    default: bool = False
    computed_from: tuple[str, ...] | None = None


@dataclass(frozen=True)
class UniqueKey:
    """A unique index, with a constraint or without; `columns` also has those of its expressions, `condition` those of
    its WHERE."""

    name: str
    columns: tuple[str, ...]
    condition: tuple[str, ...] = ()
    nulls_distinct: bool = True


@dataclass(frozen=True)
class Constraint:
    """A CHECK or an EXCLUDE constraint and the columns that it reads."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key; `parent` is `schema.table`."""

    name: str
    columns: tuple[str, ...]
    parent: str
    unsets: bool = False
    """ON DELETE SET NULL."""


@dataclass(frozen=True)
class Relation:
    """A table. `plain` says that it is an ordinary, logged table; `key` has the primary key's columns."""

    columns: Mapping[str, Column]
    key: tuple[str, ...] = ()
    key_deferrable: bool = False
    plain: bool = True
    unique_keys: tuple[UniqueKey, ...] = ()
    checks: tuple[Constraint, ...] = ()
    exclusions: tuple[Constraint, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()

    def stored(self, columns: Iterable[str]) -> list[str]:
        """Put in place of generated columns those that they are computed from: these are what travels."""
        found: dict[str, None] = {}
        for name in columns:
            sources = self.columns[name].computed_from
            found.update(dict.fromkeys([name] if sources is None else sources))
        return list(found)

    def under(self, name: Callable[[str], str]) -> "Relation":
        """The same table with other names for its columns."""

        def named(columns: Iterable[str]) -> tuple[str, ...]:
            return tuple(map(name, columns))

        def column(each: Column) -> Column:
            return each if each.computed_from is None else replace(each, computed_from=named(each.computed_from))

        return replace(
            self,
            columns={name(each): column(found) for each, found in self.columns.items()},
            key=named(self.key),
            unique_keys=tuple(
                replace(key, columns=named(key.columns), condition=named(key.condition)) for key in self.unique_keys
            ),
            checks=tuple(replace(check, columns=named(check.columns)) for check in self.checks),
            exclusions=tuple(replace(each, columns=named(each.columns)) for each in self.exclusions),
            foreign_keys=tuple(replace(key, columns=named(key.columns)) for key in self.foreign_keys),
        )

"""The shape of `rules/*.toml`, and what one table's rules must agree on among themselves.

```toml
[table."public.customer"]
owner = "owner_site"                             # the column that names the row's owner
delete = "loses"                                 # a concurrent edit brings the row back
groups = { money = ["amount", "currency"] }      # these travel and win together

[table."public.customer".column]
phone = "latest"
credit = { rule = "site", site = "taipei" }
amount = { rule = "owner" }
currency = { rule = "owner" }                    # the columns of a group have one rule

[local]
tables = ["public.django_*"]                     # these stay at their site
```
"""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, StrictStr

from .rules import COLUMN_RULES, ColumnRule, TableRules
from .shapes import SiteName, Table, Texts, refuse

NAME_BYTES = 63  # PostgreSQL's NAMEDATALEN - 1


def _identifier(name: str) -> str:
    if not 0 < len(name.encode()) <= NAME_BYTES or "\0" in name:
        raise refuse(f"{name!r} is no name that PostgreSQL takes", f"1 to {NAME_BYTES} bytes")
    return name


def _table_name(name: str) -> str:
    schema, dot, table = name.partition(".")
    if not dot:
        raise refuse(f"{name!r} names no schema", f'"public.{name}", for example')
    _identifier(schema), _identifier(table)
    return name


def _spelt_out(value: Any) -> Any:
    return {"rule": value} if isinstance(value, str) else value


Identifier = Annotated[StrictStr, AfterValidator(_identifier)]
TableName = Annotated[StrictStr, AfterValidator(_table_name)]
GroupColumns = Annotated[Texts, Field(min_length=2)]


class ColumnTable(Table):
    """A column's rule, spelt out."""

    rule: Literal["latest", "site", "owner"]
    site: SiteName | None = None


class TableTable(Table):
    """What a file says about one table."""

    owner: Identifier | None = None
    delete: Literal["stamp", "wins", "loses"] = "stamp"
    column: dict[Identifier, Annotated[ColumnTable, BeforeValidator(_spelt_out)]] = Field(default_factory=dict)
    groups: dict[Identifier, GroupColumns] = Field(
        default_factory=dict, description="columns that travel together, two or more, each in one group"
    )


class LocalTables(Table):
    """The tables that stay at their site."""

    tables: tuple[TableName, ...] = ()


class RulesFile(Table):
    """One file of `rules/`."""

    table: dict[TableName, TableTable] = Field(default_factory=dict)
    local: LocalTables = LocalTables()


class Wrong(NamedTuple):
    """A fault inside one table: its key below the table, what, and the way out."""

    key: str
    message: str
    hint: str


def faults(table: TableTable, sites: frozenset[str]) -> Iterator[Wrong]:
    """Find what a table's rules contradict among themselves, or among the sites."""
    yield from _grouped_twice(table)
    yield from _divided_groups(table)
    for name, column in table.column.items():
        yield from _parameter_faults(f"column.{name}", column, sites)
        yield from _owner_faults(table, name, column)


def _grouped_twice(table: TableTable) -> Iterator[Wrong]:
    members = Counter(column for columns in table.groups.values() for column in columns)
    for group, columns in table.groups.items():
        for column in dict.fromkeys(columns):
            if members[column] > 1:
                hint = "name a column once, in one group"
                yield Wrong(f"groups.{group}", f"{column} is grouped more than once", hint)


def _divided_groups(table: TableTable) -> Iterator[Wrong]:
    by_default = ColumnTable(rule="latest")
    for group, columns in table.groups.items():
        if group in table.column and group not in columns:
            hint = f"give the rule to each of {', '.join(columns)}"
            yield Wrong(f"column.{group}", f"{group} is a group, not a column", hint)
        if len({table.column.get(column, by_default) for column in columns}) > 1:
            hint = f"give each of {', '.join(columns)} the same rule"
            yield Wrong(f"groups.{group}", "its columns have different rules", hint)


def _parameter_faults(key: str, column: ColumnTable, sites: frozenset[str]) -> Iterator[Wrong]:
    takes_site = "site" in COLUMN_RULES[column.rule]
    if takes_site and column.site is None:
        yield Wrong(f"{key}.site", "missing", '{ rule = "site", site = "…" } says whose value wins')
    elif not takes_site and column.site is not None:
        yield Wrong(f"{key}.site", f"the rule {column.rule} takes no site", "leave it out")
    elif column.site is not None and column.site not in sites:
        hint = f"the sites are {', '.join(sorted(sites))}"
        yield Wrong(f"{key}.site", f"no site is called {column.site}", hint)


def _owner_faults(table: TableTable, name: str, column: ColumnTable) -> Iterator[Wrong]:
    if column.rule != "owner":
        return
    if table.owner is None:
        hint = 'owner = "…" beside it names the column that holds the owner\'s name'
        yield Wrong(f"column.{name}", "the rule owner needs an owner column", hint)
    elif table.owner == name:
        hint = "settle the owner column itself by latest or site"
        yield Wrong(f"column.{name}", f"{table.owner} would say who may write it", hint)


def as_rules(table: TableTable) -> TableRules:
    """Turn a table of the file into what the programs read."""
    columns = {name: ColumnRule(column.rule, column.site) for name, column in table.column.items()}
    return TableRules(table.owner, table.delete, columns, dict(table.groups))

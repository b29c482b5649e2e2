"""The shape of `rules/*.toml`.

```toml
[table."public.customer"]
owner = "owner_site"                             # the column that names the row's owner
delete = "loses"                                 # a concurrent edit brings the row back
groups = { money = ["amount", "currency"] }      # these travel and win together
renamed = { tel = "phone" }                      # the column was tel: sites may rename it on different days
share = { column = "owner_site", map = { shanghai = ["shanghai", "taipei"] } }   # else everywhere
unique.customer_email_key = "mark"               # the younger claim shows a marked text
unique.customer_tax_id_key = { outcome = "null", review = true }
parent.customer_region_fkey = "falls"            # goes when its parent was deleted

[table."public.customer".column]
phone = "latest"
stage = { review = true }                        # converges at once and asks a person
amount = { rule = "owner" }
currency = { rule = "owner" }                    # the columns of a group have one rule
credit = { rule = "latest", owned_by.us = { rule = "site", site = "us" } }
keeper = { rule = "owner", written_by.taipei = "site" }         # what Taipei writes holds in everybody's rows
visits = "counter"
points = { rule = "counter", generation = 2, was = "latest" }   # its rule was changed while the sites ran
birth_date = { rule = "frozen", share = ["taipei"], mask = "nothing" }   # the others get NULL or the default
email = { share = ["taipei", "us"], mask = "hash" }
card = { share = ["us"], mask = { part = 4 } }   # the others get the last four characters

[local]
tables = ["public.django_*"]                     # these stay at their site
```

What the names mean, and what holds where nothing is said, stands in `sitecfg.rules`; more on `share` and `mask` in
RESIDENCY.md.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, StrictBool, StrictInt, StrictStr

from .rules import ColumnRule, Mask, Share, TableRules, UniqueRule
from .shapes import SiteName, Table, Texts, as_tuple, refuse

NAME_BYTES = 63  # PostgreSQL's NAMEDATALEN - 1
LAST_GENERATION = 1000


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


def _rule(value: Any) -> Any:
    return {"rule": value} if isinstance(value, str) else value


def _outcome(value: Any) -> Any:
    return {"outcome": value} if isinstance(value, str) else value


def _sites(value: Any) -> Any:
    return {"sites": value} if isinstance(value, list) else value


def _kinds(value: Any) -> Any:
    return (value,) if isinstance(value, str) else as_tuple(value)


def _mask(value: Any) -> Mask:
    """Read "nothing", "hash" or { part = 4 }."""
    if value in ("nothing", "hash"):
        return Mask(value)
    if isinstance(value, Mapping) and set(value) == {"part"} and type(value["part"]) is int and value["part"] > 0:
        return Mask("part", value["part"])
    raise refuse(f"{value!r} is no mask", '"nothing", "hash", or { part = 4 } for the last 4 characters')


Kind = Literal["latest", "site", "owner", "counter", "set", "append", "greatest", "least", "frozen"]
Identifier = Annotated[StrictStr, AfterValidator(_identifier)]
TableName = Annotated[StrictStr, AfterValidator(_table_name)]
GroupColumns = Annotated[Texts, Field(min_length=2)]
SiteNames = Annotated[tuple[SiteName, ...], BeforeValidator(as_tuple), Field(min_length=1)]


class ShareTable(Table):
    """Which sites receive something, spelt out: by name, or by what a column of the row holds."""

    sites: SiteNames | None = Field(default=None, description='for example ["taipei", "us"], one site or more')
    column: Identifier | None = None
    map: dict[StrictStr, SiteNames] | None = Field(
        default=None, description='what the column holds = the sites, for example { us = ["us", "taipei"] }'
    )


class OwnedTable(Table):
    """A column's rule in the rows of one owner."""

    rule: Literal["latest", "site", "owner"] = Field(
        description="only rules that compare stamps alone may differ by owner: all sites merge a row alike"
    )
    site: SiteName | None = None


class ColumnTable(Table):
    """A column's rule, spelt out."""

    rule: Kind = "latest"
    site: SiteName | None = None
    review: StrictBool = False
    owned_by: dict[SiteName, Annotated[OwnedTable, BeforeValidator(_rule)]] = Field(default_factory=dict)
    written_by: dict[SiteName, Literal["latest", "site", "owner"]] = Field(
        default_factory=dict,
        description='whether what a site writes has authority, for example { us = "site" }: in all rows (site), in its'
        " own (owner), in none (latest). Only such rules may differ by writer: all sites join a cell alike",
    )
    share: Annotated[ShareTable | None, BeforeValidator(_sites)] = None
    mask: Annotated[Mask, PlainValidator(_mask)] | None = None
    generation: Annotated[StrictInt, Field(ge=1, le=LAST_GENERATION)] = Field(
        default=1, description="raised by one when the rule, or who has authority under it, changes"
    )
    was: Annotated[tuple[Kind, ...], BeforeValidator(_kinds)] = Field(
        default=(), description="the rules of the earlier generations, oldest first; left out: the same as now"
    )


class UniqueTable(Table):
    """What becomes of the younger claim on a unique key, spelt out."""

    outcome: Literal["mark", "null", "hide"] = "hide"
    review: StrictBool = False


class TableTable(Table):
    """What a file says about one table."""

    owner: Identifier | None = None
    delete: Literal["stamp", "wins", "loses"] = "stamp"
    share: Annotated[ShareTable | None, BeforeValidator(_sites)] = None
    column: dict[Identifier, Annotated[ColumnTable, BeforeValidator(_rule)]] = Field(default_factory=dict)
    groups: dict[Identifier, GroupColumns] = Field(
        default_factory=dict, description="columns that travel together, two or more, each in one group"
    )
    unique: dict[Identifier, Annotated[UniqueTable, BeforeValidator(_outcome)]] = Field(
        default_factory=dict, description="the younger claim is marked (a text), becomes NULL, or waits hidden"
    )
    renamed: dict[Identifier, Identifier] = Field(default_factory=dict, description="the old name = the new one")
    parent: dict[Identifier, Literal["returns", "falls", "null"]] = Field(
        default_factory=dict, description="a foreign key's deleted parent returns, takes the child along, or is unset"
    )


class LocalTables(Table):
    """The tables that stay at their site."""

    tables: tuple[TableName, ...] = ()


class RulesFile(Table):
    """One file of `rules/`."""

    table: dict[TableName, TableTable] = Field(default_factory=dict)
    local: LocalTables = LocalTables()


def as_rules(table: TableTable) -> TableRules:
    """Turn a table of the file into what the programs read, its columns by their first names."""
    first = TableRules(renamed=table.renamed).first_name
    return TableRules(
        owner=first(table.owner) if table.owner else None,
        delete=table.delete,
        columns={first(name): _column_rule(column, first) for name, column in table.column.items()},
        groups={name: tuple(map(first, columns)) for name, columns in table.groups.items()},
        unique_keys={name: UniqueRule(unique.outcome, unique.review) for name, unique in table.unique.items()},
        parents=dict(table.parent),
        share=_share(table.share, first),
        renamed=dict(table.renamed),
    )


def _column_rule(column: ColumnTable, first: Callable[[str], str]) -> ColumnRule:
    return ColumnRule(
        rule=column.rule,
        site=column.site,
        review=column.review,
        owned_by={owner: ColumnRule(owned.rule, owned.site) for owner, owned in column.owned_by.items()},
        written_by=dict(column.written_by),
        share=_share(column.share, first),
        mask=(column.mask or Mask()) if column.share else None,
        generation=column.generation,
        was=column.was if set(column.was) != {column.rule} else (),
    )


def _share(share: ShareTable | None, first: Callable[[str], str]) -> Share | None:
    """Sort the sites: their order says nothing."""
    if share is None:
        return None
    by_value = {value: _sorted(sites) for value, sites in (share.map or {}).items()}
    return Share(_sorted(share.sites or ()), first(share.column) if share.column else None, by_value)


def _sorted(sites: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(sites)))

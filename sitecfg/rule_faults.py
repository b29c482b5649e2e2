"""What one table's rules contradict among themselves, or among the sites."""

from collections import Counter
from collections.abc import Iterable, Iterator

from .errors import Wrong
from .rules import COLUMN_RULES, MASKABLE, STAMP_ORDERED, TableRules
from .rules_file import ColumnTable, OwnedTable, ShareTable, TableTable
from .shape_faults import dotted

Sites = frozenset[str]


def rule_faults(table: TableTable, sites: Sites) -> Iterator[Wrong]:
    """Find what a table's rules contradict among themselves, or among the sites."""
    faults = list(_renaming_faults(table))
    yield from faults
    if table.renamed and not faults:
        table = _by_first_names(table)
    yield from _grouped_twice(table)
    for group, columns in table.groups.items():
        yield from _group_faults(table, group, columns)
    if table.share:
        yield from _share_faults(table, "share", table.share, sites)
    if table.owner:
        yield from _owner_column_faults(table, table.owner)
    for name, column in table.column.items():
        key = dotted(("column", name))
        yield from _authority_faults(table, key, column, sites)
        yield from _owned_faults(table, key, column, sites)
        yield from _written_faults(table, key, column, sites)
        yield from _generation_faults(key, column)
        yield from _audience_faults(table, name, column, sites)


def _renaming_faults(table: TableTable) -> Iterator[Wrong]:
    """A column has one first name, one rule and one present name."""
    rules = TableRules(renamed=table.renamed)
    for new, count in Counter(table.renamed.values()).items():
        if count > 1:
            yield Wrong("renamed", f"{count} columns are now {new}", "each column has a name of its own")
    for old in table.renamed:
        if rules.first_name(old) in rules.renamed.values():
            yield Wrong(
                dotted(("renamed", old)), "it goes round in a circle", "the old name = the new one, oldest first"
            )
    for first, count in Counter(map(rules.first_name, table.column)).items():
        if count > 1:
            yield Wrong("column", f"{first} has rules under two of its names", "say all about a column under one name")


def _by_first_names(table: TableTable) -> TableTable:
    """The same table, each column under the first name that it had."""
    first = TableRules(renamed=table.renamed).first_name
    groups = {name: tuple(map(first, columns)) for name, columns in table.groups.items()}
    column = {first(name): rule for name, rule in table.column.items()}
    return table.model_copy(update={"owner": table.owner and first(table.owner), "groups": groups, "column": column})


def _grouped_twice(table: TableTable) -> Iterator[Wrong]:
    members = Counter(column for columns in table.groups.values() for column in columns)
    for group, columns in table.groups.items():
        for column in dict.fromkeys(columns):
            if members[column] > 1:
                hint = "name a column once, in one group"
                yield Wrong(dotted(("groups", group)), f"{column} is grouped more than once", hint)


def _group_faults(table: TableTable, group: str, columns: tuple[str, ...]) -> Iterator[Wrong]:
    by_default = ColumnTable()
    # A mask may differ inside a group: it says what comes instead of a value.
    rules = [table.column.get(name, by_default).model_copy(update={"mask": None}) for name in columns]
    if group in table.column and group not in columns:
        hint = f"give the rule to each of {', '.join(columns)}"
        yield Wrong(dotted(("column", group)), f"{group} is a group, not a column", hint)
    if any(rule != rules[0] for rule in rules):
        hint = f"give each of {', '.join(columns)} the same rule"
        yield Wrong(dotted(("groups", group)), "its columns have different rules", hint)
    for rule in sorted({rule.rule for rule in rules} - STAMP_ORDERED):
        hint = "take the column out; a group's columns win together, by one stamp: latest, site or owner"
        yield Wrong(dotted(("groups", group)), f"the rule {rule} settles each column by itself", hint)


def _owner_column_faults(table: TableTable, owner: str) -> Iterator[Wrong]:
    column, key = table.column.get(owner, ColumnTable()), dotted(("column", owner))
    if column.rule == "owner" or column.owned_by or "owner" in column.written_by.values():
        hint = "settle the owner column itself by latest or site"
        yield Wrong(key, f"{owner} would say who may write it", hint)
    elif column.rule not in STAMP_ORDERED:
        hint = "settle the owner column itself by latest or site"
        yield Wrong(key, f"under {column.rule} a former owner could keep its authority", hint)


def _authority_faults(table: TableTable, key: str, column: ColumnTable | OwnedTable, sites: Sites) -> Iterator[Wrong]:
    takes_site = "site" in COLUMN_RULES[column.rule]
    if takes_site and column.site is None:
        yield Wrong(f"{key}.site", "missing", '{ rule = "site", site = "…" } says whose value wins')
    elif not takes_site and column.site is not None:
        yield Wrong(f"{key}.site", f"the rule {column.rule} takes no site", "leave it out")
    elif column.site is not None:
        yield from _unknown_sites(f"{key}.site", {column.site}, sites)
    if column.rule == "owner" and table.owner is None:
        hint = 'owner = "…" beside it names the column that holds the owner\'s name'
        yield Wrong(key, "the rule owner needs an owner column", hint)


def _owned_faults(table: TableTable, key: str, column: ColumnTable, sites: Sites) -> Iterator[Wrong]:
    if column.owned_by and column.rule not in STAMP_ORDERED:
        hint = "leave owned_by out: only latest, site and owner may differ by owner, since one order settles all three"
        yield Wrong(f"{key}.owned_by", f"the rule {column.rule} is the same for every owner", hint)
    if column.owned_by and table.owner is None:
        hint = 'owner = "…" in the table names the column that holds the owner\'s name'
        yield Wrong(f"{key}.owned_by", "a rule that differs by owner needs an owner column", hint)
    for owner, owned in column.owned_by.items():
        place = f"{key}.{dotted(('owned_by', owner))}"
        yield from _unknown_sites(place, {owner}, sites)
        yield from _authority_faults(table, place, owned, sites)


def _written_faults(table: TableTable, key: str, column: ColumnTable, sites: Sites) -> Iterator[Wrong]:
    """A clause says whether a site's writes have authority, so the rule must be one that knows authority."""
    if column.written_by and column.rule not in STAMP_ORDERED:
        hint = (
            "leave written_by out: only latest, site and owner may differ by writer, since one order settles all three"
        )
        yield Wrong(f"{key}.written_by", f"the rule {column.rule} is the same for every writer", hint)
    for writer, rule in column.written_by.items():
        place = f"{key}.{dotted(('written_by', writer))}"
        yield from _unknown_sites(place, {writer}, sites)
        if rule == "owner" and table.owner is None:
            hint = 'owner = "…" in the table names the column that holds the owner\'s name'
            yield Wrong(place, "the rule owner needs an owner column", hint)


def _generation_faults(key: str, column: ColumnTable) -> Iterator[Wrong]:
    earlier = column.generation - 1
    if column.was and len(column.was) != earlier:
        hint = "was has the rule of each earlier generation, oldest first; each change raises the generation by one"
        yield Wrong(f"{key}.was", f"{len(column.was)} for {earlier} earlier generations", hint)


def _audience_faults(table: TableTable, name: str, column: ColumnTable, sites: Sites) -> Iterator[Wrong]:
    key = dotted(("column", name))
    if column.share is None:
        if column.mask is not None:
            hint = 'share = ["…"] beside it says which sites get the value itself'
            yield Wrong(f"{key}.mask", "a mask without share hides nothing", hint)
        return
    yield from _share_faults(table, f"{key}.share", column.share, sites)
    for rule in sorted(_rules_of(column) - MASKABLE):
        hint = "share it with all, or settle it by latest, site, owner or frozen; or share the whole table with fewer"
        yield Wrong(f"{key}.share", f"the rule {rule} needs the values at every site", hint)
    if name in _deciding(table):
        hint = "leave its share out: every site decides by it"
        yield Wrong(f"{key}.share", "the rules themselves read this column", hint)
    if column.share.sites:
        yield from _left_out(key, column, set(column.share.sites), table.share)


def _rules_of(column: ColumnTable) -> frozenset[str]:
    return frozenset({column.rule, *(owned.rule for owned in column.owned_by.values())})


def _left_out(key: str, column: ColumnTable, receivers: set[str], rows: ShareTable | None) -> Iterator[Wrong]:
    if rows and rows.sites:
        for site in sorted(receivers.difference(rows.sites)):
            hint = "add it to the table's share, or leave it out here"
            yield Wrong(f"{key}.share", f"{site} does not receive the rows", hint)
    authorities = {column.site, *(owned.site for owned in column.owned_by.values())}
    for site in sorted(filter(None, authorities - receivers)):
        hint = f"share it with {site}, or give the authority to a site that receives it"
        yield Wrong(f"{key}.share", f"{site} has authority over what it does not receive", hint)


def _deciding(table: TableTable) -> set[str | None]:
    """The columns that the rules read in every row."""
    shares = [table.share, *(column.share for column in table.column.values())]
    return {table.owner, *(share.column for share in shares if share)}


def _share_faults(table: TableTable, key: str, share: ShareTable, sites: Sites) -> Iterator[Wrong]:
    if (share.sites is None) == (share.column is None) or (share.column is None) != (share.map is None):
        hint = '["taipei", "us"] names sites; { column = "owner_site", map = { us = ["us"] } } decides row by row'
        yield Wrong(key, "either sites, or a column and a map", hint)
    yield from _unknown_sites(key, share.sites or (), sites)
    by_owner = share.column is not None and share.column == table.owner
    for value, receivers in (share.map or {}).items():
        place = f"{key}.{dotted(('map', value))}"
        yield from _unknown_sites(place, receivers, sites)
        if by_owner and value not in sites:
            yield from _unknown_sites(place, {value}, sites)
        elif by_owner and value not in receivers:
            yield Wrong(place, f"{value} would not receive its own rows", f"add {value}")


def _unknown_sites(key: str, names: Iterable[str], sites: Sites) -> Iterator[Wrong]:
    for name in sorted(set(names) - sites):
        yield Wrong(key, f"no site is called {name}", f"the sites are {', '.join(sorted(sites))}")

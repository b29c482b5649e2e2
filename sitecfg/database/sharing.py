"""Does anything at a site need what the rules keep from it? (pitfall P9)"""

from collections.abc import Collection, Iterator

from sitecfg.carriable import is_text
from sitecfg.errors import Wrong
from sitecfg.rules import ColumnRule, Rules, Share, TableRules
from sitecfg.shape_faults import dotted

from .relations import Column, ForeignKey, Relation


def sharing_faults(name: str, rules: Rules, relation: Relation, sites: Collection[str]) -> Iterator[Wrong]:
    """Find keys, columns and references that need something which is not shared."""
    table = rules.table(name)
    for column, rule in table.columns.items():
        if rule.share and column in relation.columns:
            yield from _column_faults(column, rule, relation)
    yield from _row_faults(table, relation)
    for reference in relation.foreign_keys:
        yield from _reference_faults(table.share, reference, rules, sites)


def _column_faults(name: str, rule: ColumnRule, relation: Relation) -> Iterator[Wrong]:
    key, column, mask = dotted(("column", name)), relation.columns[name], rule.mask
    for index in relation.unique_keys:
        if name in relation.stored([*index.columns, *index.condition]):
            hint = "share it with all, or drop the key: whoever lacks the value cannot tell whose claim is older"
            yield Wrong(f"{key}.share", f"the unique key {index.name} needs it everywhere", hint)
    for reference in relation.foreign_keys:
        if name in reference.columns:
            hint = "share it with all, or drop the foreign key: whoever lacks the value knows no parent"
            yield Wrong(f"{key}.share", f"the foreign key {reference.name} needs it everywhere", hint)
    if mask is None or mask.kind == "nothing":
        yield from _empty_faults(key, column)
    else:
        yield from _altered_faults(key, name, mask.kind, relation)


def _empty_faults(key: str, column: Column) -> Iterator[Wrong]:
    if not column.nullable and not column.default:
        hint = "drop NOT NULL, give the column a default, or choose another mask"
        yield Wrong(f"{key}.mask", "nothing is no value where the column is NOT NULL without a default", hint)


def _altered_faults(key: str, name: str, mask: str, relation: Relation) -> Iterator[Wrong]:
    column = relation.columns[name]
    if not is_text(column.type):
        hint = 'mask = "nothing", or make the column text'
        yield Wrong(f"{key}.mask", f"a {mask} is text, and does not fit into {column.type}", hint)
    for check in relation.checks:
        if name in relation.stored(check.columns):
            hint = 'mask = "nothing", or drop the constraint'
            yield Wrong(f"{key}.mask", f"CHECK {check.name} could refuse a {mask}", hint)


def _row_faults(table: TableRules, relation: Relation) -> Iterator[Wrong]:
    """Find the unique keys whose claims not all sites see that see one of them."""
    decided_by = table.share and table.share.column
    for index in relation.unique_keys:
        if decided_by and decided_by not in index.columns:
            hint = f"add {decided_by} to the key, share the table with all, or drop the key"
            yield Wrong("share", f"the unique key {index.name} spans rows that not all sites receive", hint)


def _reference_faults(
    share: Share | None, reference: ForeignKey, rules: Rules, sites: Collection[str]
) -> Iterator[Wrong]:
    if rules.is_local(reference.parent):
        hint = f"put {reference.parent} under rules, or drop the foreign key: its rows differ from site to site"
        yield Wrong("", f"the foreign key {reference.name} refers to a table that stays at its site", hint)
    parent = rules.table(reference.parent).share
    waiting = [] if parent is None or parent == share else sorted(_ever(share, sites) - _always(parent, sites))
    if waiting:
        hint = f"share both alike: a row waits until its parent in {reference.parent} is there"
        yield Wrong("share", f"by {reference.name}, rows wait at {', '.join(waiting)} for ever", hint)


def _ever(share: Share | None, sites: Collection[str]) -> set[str]:
    return {site for site in sites if share is None or any(share.reaches(site, value) for value in _values(share))}


def _always(share: Share, sites: Collection[str]) -> set[str]:
    return {site for site in sites if all(share.reaches(site, value) for value in _values(share))}


def _values(share: Share) -> tuple[str | None, ...]:
    """What the deciding column may hold, as far as it matters; None stands for all that the map does not name."""
    return *share.by_value, None

"""Are the columns that the rules name there, and can their types carry the rules?"""

from collections.abc import Iterator
from difflib import get_close_matches

from sitecfg.carriable import CARRIABLE, can_carry, is_text
from sitecfg.errors import Wrong
from sitecfg.rules import TableRules
from sitecfg.shape_faults import dotted

from .relations import Relation


def column_faults(rules: TableRules, relation: Relation) -> Iterator[Wrong]:
    """Find the columns that cannot bear what the rules say of them."""
    for key, name in _named(rules):
        yield from _missing(key, name, relation)
    for key, name in _ruled(rules):
        yield from _unruly(key, name, relation)
    for name, rule in rules.columns.items():
        column = relation.columns.get(name)
        for kind in dict.fromkeys(rule.kinds) if column else ():
            if column and not can_carry(kind, column.type):
                hint = f"its type can be {', '.join(sorted(CARRIABLE[kind] or ()))}"
                yield Wrong(dotted(("column", name)), f"{column.type} cannot carry the rule {kind}", hint)
    owner = relation.columns.get(rules.owner or "")
    if owner and not is_text(owner.type):
        hint = "the owner column holds the name of a site: text or character varying"
        yield Wrong("owner", f"{rules.owner} is {owner.type}", hint)


def _named(rules: TableRules) -> Iterator[tuple[str, str]]:
    """Yield every column that the rules name, with the place."""
    yield from _ruled(rules)
    if rules.share and rules.share.column:
        yield "share.column", rules.share.column
    for name, rule in rules.columns.items():
        if rule.share and rule.share.column:
            yield dotted(("column", name, "share", "column")), rule.share.column


def _ruled(rules: TableRules) -> Iterator[tuple[str, str]]:
    """Yield the columns whose own writes the rules are about."""
    if rules.owner:
        yield "owner", rules.owner
    for name in rules.columns:
        yield dotted(("column", name)), name
    for group, columns in rules.groups.items():
        yield from ((dotted(("groups", group)), name) for name in columns)


def _missing(key: str, name: str, relation: Relation) -> Iterator[Wrong]:
    if name not in relation.columns:
        close = get_close_matches(name, relation.columns, n=1)
        hint = f"did you mean {close[0]}?" if close else f"the columns are {', '.join(relation.columns)}"
        yield Wrong(key, f"there is no column {name}", hint)


def _unruly(key: str, name: str, relation: Relation) -> Iterator[Wrong]:
    if name in relation.key:
        hint = "leave it out: the key never changes, and goes wherever the row goes"
        yield Wrong(key, f"{name} is in the primary key", hint)
    elif name in relation.columns and relation.columns[name].computed_from is not None:
        yield Wrong(key, f"{name} is generated", "leave it out: each site computes it, so it does not travel")

"""Do the table's keys and constraints hold whatever the sites write at once?"""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from sitecfg.carriable import is_text
from sitecfg.errors import Wrong
from sitecfg.rules import COMBINED, TableRules
from sitecfg.shape_faults import dotted

from .relations import Constraint, ForeignKey, Relation, UniqueKey


def constraint_faults(rules: TableRules, relation: Relation) -> Iterator[Wrong]:
    """Find what merging could break, and rules for keys that are not there or cannot follow them."""
    yield from _key_faults(relation)
    for check in relation.checks:
        yield from _check_faults(rules, relation, check)
    for exclusion in relation.exclusions:
        hint = f"drop {exclusion.name}: rows that two sites write at once can break it, and no rule settles that"
        yield Wrong("", "a replicated table cannot have an EXCLUDE constraint", hint)
    yield from _unique_faults(rules, relation)
    yield from _parent_faults(rules, relation)


def _key_faults(relation: Relation) -> Iterator[Wrong]:
    if not relation.plain:
        hint = "partitioned, foreign and unlogged tables and views are not in the WAL as rows of their own"
        yield Wrong("", "not an ordinary, logged table", hint)
    elif not relation.key:
        hint = "add one, for example a column id uuid PRIMARY KEY DEFAULT gen_random_uuid()"
        yield Wrong("", "no primary key: its rows cannot be told apart at the sites", hint)
    elif relation.key_deferrable:
        yield Wrong("", "its primary key is deferrable", "make it NOT DEFERRABLE: pglogical takes no other")


def _check_faults(rules: TableRules, relation: Relation, check: Constraint) -> Iterator[Wrong]:
    columns = [name for name in relation.stored(check.columns) if name not in relation.key]
    for name in columns:
        rule = rules.column(name).rule
        if rule in COMBINED:
            hint = f"drop the constraint or the rule: {rule} makes one value of several, each of which passed"
            yield Wrong(dotted(("column", name)), f"CHECK {check.name} reads it", hint)
    held = any(set(columns) <= set(group) for group in rules.groups.values())
    if len(columns) > 1 and not held:
        names = ", ".join(f'"{name}"' for name in columns)
        hint = f"put them into one, {check.name} = [{names}], or drop the constraint: two edits can break it together"
        yield Wrong("groups", f"CHECK {check.name} reads {', '.join(columns)}, which no group holds together", hint)


def _unique_faults(rules: TableRules, relation: Relation) -> Iterator[Wrong]:
    keys = {key.name: key for key in relation.unique_keys}
    for name, rule in rules.unique_keys.items():
        place = dotted(("unique", name))
        if name not in keys:
            yield _unknown(place, f"there is no unique index {name} besides the primary key", name, keys)
        elif rule.outcome == "mark":
            yield from _mark_faults(place, keys[name], rules, relation)
        elif rule.outcome == "null":
            yield from _null_faults(place, keys[name], rules, relation)


def _mark_faults(place: str, key: UniqueKey, rules: TableRules, relation: Relation) -> Iterator[Wrong]:
    if not any(is_text(relation.columns[name].type) for name in _replaceable(key, rules, relation)):
        hint = 'say "null" or "hide": a mark needs a text column that is no owner, no key and no reference'
        yield Wrong(place, f"none of {', '.join(key.columns)} can show a marked text", hint)


def _null_faults(place: str, key: UniqueKey, rules: TableRules, relation: Relation) -> Iterator[Wrong]:
    if not any(relation.columns[name].nullable for name in _replaceable(key, rules, relation)):
        hint = 'drop NOT NULL, or say "mark" or "hide": what becomes NULL is no owner and no key'
        yield Wrong(place, f"none of {', '.join(key.columns)} can be NULL", hint)
    elif not key.nulls_distinct:
        yield Wrong(place, "its NULLs are not distinct: two would collide", 'say "mark" or "hide"')


def _replaceable(key: UniqueKey, rules: TableRules, relation: Relation) -> list[str]:
    """The columns of a unique key in which a substitute may stand."""
    references = {name for reference in relation.foreign_keys for name in reference.columns}
    taken = {rules.owner, *relation.key, *references}
    return [name for name in key.columns if name not in taken and relation.columns[name].computed_from is None]


def _parent_faults(rules: TableRules, relation: Relation) -> Iterator[Wrong]:
    references = {reference.name: reference for reference in relation.foreign_keys}
    for name, outcome in rules.parents.items():
        place = dotted(("parent", name))
        if name not in references:
            yield _unknown(place, f"there is no foreign key {name}", name, references)
        elif outcome == "null":
            yield from _unset_faults(place, references[name], relation)
    for reference in relation.foreign_keys:
        if reference.unsets and rules.parent(reference.name) != "null":
            hint = 'say "null", or make the key CASCADE, RESTRICT or NO ACTION: the rule says what becomes of its rows'
            told = f'it says "{rules.parent(reference.name)}", and the key ON DELETE SET NULL, which would be an edit'
            yield Wrong(dotted(("parent", reference.name)), told, hint)


def _unset_faults(place: str, reference: ForeignKey, relation: Relation) -> Iterator[Wrong]:
    full = [name for name in reference.columns if not relation.columns[name].nullable]
    if full:
        yield Wrong(place, f"{', '.join(full)} cannot be NULL", 'drop NOT NULL, or say "returns" or "falls"')


def _unknown(place: str, message: str, name: str, known: Iterable[str]) -> Wrong:
    names = list(known)
    close = get_close_matches(name, names, n=1)
    return Wrong(place, message, f"did you mean {close[0]}?" if close else f"there are: {', '.join(names) or 'none'}")

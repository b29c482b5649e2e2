"""What the sites say of one table before it is put under replication: is it the same table everywhere, and do the rules
of the configuration fit it?"""

from collections.abc import Collection, Mapping
from typing import Any

from replication.audience import deciding
from replication.core.merge import RowRules
from replication.errors import RulesUnknownError, UsageError
from replication.postgres.catalog import Table
from replication.postgres.connect import Connection
from replication.postgres.enlist import written_generations
from replication.postgres.indexes import Constraints, unique_keys
from sitecfg import ColumnRule, Rules, TableRules
from sitecfg.generations import generation_faults
from sitecfg.rules import HIDE, RETURNS

Standing = dict[str, Any]
"""A table's rules of delete, unique and parent, beyond the defaults."""


def require_same(tables: Mapping[str, Table]) -> None:
    """Raise :class:`UsageError` naming the first difference. The columns' order may differ: they travel by name."""
    first, *others = tables
    for other in others:
        difference = _difference(first, tables[first], other, tables[other])
        if difference:
            raise UsageError(f"{tables[first]} is not the same table at {first} and at {other}: {difference}")


def _difference(first: str, left: Table, other: str, right: Table) -> str | None:
    for name in sorted(left.types.keys() | right.types.keys()):
        if name not in left.types or name not in right.types:
            return f"column {name} is at {first if name in left.types else other} alone"
        if left.types[name] != right.types[name]:
            return f"column {name} is {left.types[name]} at {first}, {right.types[name]} at {other}"
    if left.key != right.key:
        return f"the primary key is ({', '.join(left.key)}) at {first}, ({', '.join(right.key)}) at {other}"
    return None


def rules_for(
    table: Table, constraints: Constraints, rules: TableRules, elsewhere: Collection[str] = ()
) -> dict[str, Any]:
    """The rules of a table in the form that its triggers are made from (replication/postgres/triggers.sql).
    ``elsewhere``: columns that the table has at other sites, and may have here one day."""
    _require_columns(table, rules, elsewhere)
    _require_renamable(table, constraints, rules)
    _require_references(table, constraints, rules)
    groups = {name: list(group) for group in rules.groups.values() for name in group}
    columns: dict[str, dict[str, Any]] = {}
    for name in sorted({*rules.columns, *groups}):
        rule = rules.column(name)
        columns[name] = _column(rule)
        if rule.owned_by:
            columns[name]["owned_by"] = {site: _column(other) for site, other in sorted(rule.owned_by.items())}
        if rule.written_by:
            columns[name]["written_by"] = dict(sorted(rule.written_by.items()))
        if name in groups:
            columns[name]["group"] = groups[name]
    substituted = {key.column for _, key in unique_keys(table, constraints, rules)} - {""}
    unset = sorted(name for name, rule in rules.parents.items() if rule == "null")
    references = {column for one in constraints.references if one.name in unset for column in one.columns}
    claims = {"claims": sorted(substituted | references), "unset": unset} if substituted or unset else {}
    renamed = {"renamed": dict(rules.renamed)} if rules.renamed else {}
    audience, standing = audience_of(rules), standing_of(rules)
    return {"owner": rules.owner, "columns": columns, **renamed, **claims, **audience, **standing}


def row_rules(table: Table, rules: Rules) -> RowRules:
    """The rules of a table, as the merge wants them."""
    declared = rules.table(str(table))
    columns = {name: declared.column(name).rule for name in table.values}
    earlier = {name: rule.earlier for name, rule in declared.columns.items() if rule.generation > 1}
    return RowRules(columns, declared.delete, earlier, declared.parents)


def standing_of(rules: TableRules) -> Standing:
    """The rules by which it follows from the states of all rows which of them exist, and what they show."""
    unique = {name: rule.outcome for name, rule in rules.unique_keys.items() if rule.outcome != HIDE.outcome}
    parents = {name: rule for name, rule in rules.parents.items() if rule != RETURNS}
    return {"delete": rules.delete, "unique": unique, "parents": parents}


def audience_of(rules: TableRules) -> dict[str, Any]:
    """What the triggers must know of who receives what: which columns decide, and which sites receive a row by what its
    deciding column holds."""
    share = rules.share
    found: dict[str, Any] = {"deciding": list(deciding(rules))} if deciding(rules) else {}
    if share is not None and share.column is not None:
        found["share"] = {
            "column": share.column,
            "map": {value: list(sites) for value, sites in share.by_value.items()},
        }
    return found


def _column(rule: ColumnRule) -> dict[str, Any]:
    column: dict[str, Any] = {"rule": rule.rule} if rule.site is None else {"rule": rule.rule, "site": rule.site}
    if rule.generation > 1:
        column |= {"generation": rule.generation, "was": list(rule.earlier)}
    return column if rule.mask is None else {**column, "masked": True}


def require_generations(table: Table, rules: TableRules, recorded: Mapping[str, Any], site: str) -> None:
    """Raise :class:`UsageError` where a rule was changed and its generation does not say so (pitfall P13)."""
    faults = [f"  {wrong.key}: {wrong.message}: {wrong.hint}" for wrong in generation_faults(rules, recorded)]
    if faults:
        raise UsageError("\n".join([f"the rules of {table} do not follow those that {site} has had:", *faults]))


def require_known(connection: Connection, rules: Rules) -> None:
    """Raise :class:`RulesUnknownError` where the triggers write generations of which this process has not read.

    It was started before the rules were changed: what it sends would bear the version of the old ones.
    """
    for table, written in written_generations(connection).items():
        columns = rules.table(table)
        newer = sorted(name for name, generation in written.items() if generation > columns.column(name).generation)
        if newer:
            raise RulesUnknownError(
                f"the rules of {table} were changed ({', '.join(newer)}) since this program has read them: it ends, and"
                " reads them when it is started again"
            )


def _require_renamable(table: Table, constraints: Constraints, rules: TableRules) -> None:
    """What a unique key or a foreign key reads is known by one name."""
    renamed = {*rules.renamed, *rules.renamed.values()}
    readers = {one.name: one.columns for one in constraints.indexes}
    readers |= {one.name: one.columns for one in constraints.references}
    for reader, columns in readers.items():
        if found := sorted(renamed.intersection(columns)):
            raise UsageError(
                f"{table}: {', '.join(found)} cannot be renamed while {reader} reads it: drop that first, or leave the"
                " column its name"
            )


def _require_references(table: Table, constraints: Constraints, rules: TableRules) -> None:
    """A rule for a parent needs that foreign key, ``null`` a reference that can be NULL, and one that PostgreSQL sets
    to NULL needs that rule: else its doing would travel as somebody's edit (pitfall P7)."""
    known = {one.name: one for one in constraints.references}
    grouped = {column for group in rules.groups.values() for column in group}
    for name, rule in rules.parents.items():
        if name not in known:
            raise UsageError(
                f"the rules of {table} name the foreign key {name}: it has none of that name;"
                f" there are: {', '.join(sorted(known)) or 'none'}"
            )
        if rule == "null" and (fixed := sorted({*table.key, *grouped}.intersection(known[name].columns))):
            raise UsageError(
                f'{table}: parent.{name} = "null" cannot be: {", ".join(fixed)} is in the primary key or in a column'
                ' group. Say "returns" or "falls"'
            )
    for one in constraints.references:
        if one.unsets and rules.parent(one.name) != "null":
            raise UsageError(
                f'{table}: {one.name} is ON DELETE SET NULL: say parent.{one.name} = "null", or make it CASCADE,'
                " RESTRICT or NO ACTION, and leave to the rule what becomes of its rows"
            )


def _require_columns(table: Table, rules: TableRules, elsewhere: Collection[str]) -> None:
    named = {*rules.columns, *(name for group in rules.groups.values() for name in group)}
    decisive = {*deciding(rules), *([rules.owner] if rules.owner else [])}
    unknown = sorted({*named, *decisive}.difference(table.types, elsewhere))
    if unknown:
        raise UsageError(
            f"the rules of {table} name column {', '.join(unknown)}, which it lacks:"
            f" its columns are {', '.join(sorted(table.types))}"
        )
    keys = sorted(set(named).union(map(rules.first_name, rules.renamed)).intersection(table.key))
    if keys:
        raise UsageError(f"the rules of {table} name {', '.join(keys)} of its primary key, which never changes")

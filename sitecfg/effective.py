"""The rules in effect, for people and for scripts. Every site has the same; what differs by owner, writer or receiver
stands beside each."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from .rules import LATEST, ColumnRule, Mask, Rules, Share, TableRules

DELETES = {"stamp": "a delete counts by its stamp", "wins": "a delete wins", "loses": "a delete loses"}
OUTCOMES = {
    "mark": "the younger claim is marked",
    "null": "the younger claim becomes NULL",
    "hide": "the younger claim waits hidden",
}
PARENTS = {"returns": "a deleted parent returns", "falls": "falls with its parent", "null": "becomes NULL"}
MASKS = {"nothing": "nothing", "hash": "a hash", "part": "the last {}"}


class Line(NamedTuple):
    """One thing that has a rule: a table's rows, a column, a unique key, a foreign key."""

    table: str
    what: str
    rule: str
    by_owner: str = ""
    by_writer: str = ""
    received_by: str = ""
    others_get: str = ""


HEADINGS = Line("table", "column", "rule", "by owner", "by writer", "received by", "the others get")


def as_text(rules: Rules, tables: Iterable[str], sites: Collection[str]) -> str:
    """Write the rules of some tables as aligned columns."""
    lines = [HEADINGS, *(line for name in tables for line in _lines(name, rules.table(name), sites))]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def as_data(rules: Rules, tables: Iterable[str]) -> dict[str, Any]:
    """Return the rules of some tables as JSON takes them, columns that only a group names included."""
    return {"version": rules.version, "tables": {name: asdict(_spelt_out(rules.table(name))) for name in tables}}


def _spelt_out(rules: TableRules) -> TableRules:
    return replace(rules, columns={name: rules.column(name) for name in rules.declared_columns})


def _lines(name: str, rules: TableRules, sites: Collection[str]) -> Iterator[Line]:
    owner = f"the owner is {rules.owner}" if rules.owner else ""
    yield Line(name, "(rows)", DELETES[rules.delete], owner, received_by=_receivers(rules.share or Share(tuple(sites))))
    groups = {column: group for group, columns in rules.groups.items() for column in columns}
    for column in rules.declared_columns:
        yield _column(name, _now(rules, column), rules.column(column), groups.get(column))
    yield Line(name, "(every other column)", _rule(LATEST))
    for key, unique in sorted(rules.unique_keys.items()):
        yield Line(name, f"(unique {key})", OUTCOMES[unique.outcome] + _reviewed(review=unique.review))
    for key, parent in sorted(rules.parents.items()):
        yield Line(name, f"(parent {key})", PARENTS[parent])


def _now(rules: TableRules, column: str) -> str:
    """A column's present name and, if it had another one, its first."""
    now = column
    while now in rules.renamed:
        now = rules.renamed[now]
    return now if now == column else f"{now} (was {column})"


def _column(table: str, name: str, rule: ColumnRule, group: str | None) -> Line:
    return Line(
        table,
        name,
        _rule(rule) + _generation(rule) + (f", in group {group}" if group else "") + _reviewed(review=rule.review),
        "; ".join(f"{owner}: {_rule(owned)}" for owner, owned in sorted(rule.owned_by.items())),
        "; ".join(f"{site}: {written}" for site, written in sorted(rule.written_by.items())),
        _receivers(rule.share) if rule.share else "",
        _masked(rule.mask) if rule.mask else "",
    )


def _rule(rule: ColumnRule) -> str:
    return f"site {rule.site}" if rule.site else rule.rule


def _generation(rule: ColumnRule) -> str:
    was = dict.fromkeys(rule.earlier)
    return f", generation {rule.generation} (was {', '.join(was)})" if was else ""


def _reviewed(*, review: bool) -> str:
    return ", then a person is asked" if review else ""


def _receivers(share: Share) -> str:
    if share.column is None:
        return ", ".join(share.sites)
    known = (f"{value}: {', '.join(sites)}" for value, sites in sorted(share.by_value.items()))
    return f"by {share.column}: {'; '.join(known)}; else all"


def _masked(mask: Mask) -> str:
    return MASKS[mask.kind].format(mask.kept)

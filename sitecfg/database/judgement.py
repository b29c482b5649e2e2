"""What one database has against the rules: pure."""

from collections.abc import Collection, Iterator, Mapping

from sitecfg.circles import Reference, circle_faults
from sitecfg.errors import Wrong
from sitecfg.rules import Rules

from .columns import column_faults
from .constraints import constraint_faults
from .relations import Relation
from .sharing import sharing_faults


def database_faults(
    rules: Rules, sites: Collection[str], relations: Mapping[str, Relation]
) -> Iterator[tuple[str, Wrong]]:
    """Judge the rules by the tables of one database, by name; yields each fault with its table."""
    for name in rules.replicated:
        relation = relations.get(name)
        if relation is None:
            hint = "make it there, by its migrations for example, mend the name, or take its rules out"
            yield name, Wrong("", "there is no such table", hint)
            continue
        table = rules.table(name)
        if table.renamed:
            relation = relation.under(table.first_name)
        for wrong in (
            *column_faults(table, relation),
            *constraint_faults(table, relation),
            *sharing_faults(name, rules, relation, sites),
        ):
            yield name, wrong
    yield from circle_faults(_references(rules, relations))


def _references(rules: Rules, relations: Mapping[str, Relation]) -> list[Reference]:
    """The foreign keys between the tables under rules."""
    return [
        Reference(name, each.name, each.parent, rules.table(name).parent(each.name))
        for name in rules.replicated
        if name in relations
        for each in relations[name].foreign_keys
        if each.parent in rules.tables
    ]

"""What may follow what a database has had: a rule that changes begins a new generation.

Changes that were written under the old rule may still be on their way when the new one is in force. A cell's stamp says
in which generation it was written, so that every site merges old ones by the old rule and lets newer ones win whole.
Without a new generation the result would depend on the order of arrival (pitfall P13).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from .errors import Wrong
from .rules import ColumnRule, TableRules
from .shape_faults import dotted

Recorded = Mapping[str, Any]
"""A table's rules as its triggers have them: owner, delete, columns."""


def generation_faults(rules: TableRules, recorded: Recorded) -> Iterator[Wrong]:
    """Find the columns whose rules were changed and whose generation does not say so."""
    columns: Mapping[str, Recorded] = recorded.get("columns", {})
    for name in sorted({*rules.columns, *columns}):
        before, now = _recorded(columns.get(name, {})), rules.column(name)
        key = dotted(("column", name))
        if now.generation < before.generation:
            hint = f"a generation never goes down: generation = {before.generation}, or one more if the rule changed"
            yield Wrong(
                key, f"generation {now.generation} is below the {before.generation} that the database has", hint
            )
        elif now.generation == before.generation:
            yield from _unsaid(key, before, recorded.get("owner"), now, rules.owner)
        elif now.earlier[: before.generation] != before.kinds:
            hint = f"was = {_listed((*before.kinds, *now.earlier[before.generation :]))}"
            yield Wrong(key, f"the database has had {_told(before)} in generation {before.generation}", hint)


def _unsaid(key: str, before: ColumnRule, owner: str | None, now: ColumnRule, new_owner: str | None) -> Iterator[Wrong]:
    """The generation is the same, so all that decides must be."""
    if before.kinds == now.kinds and _authority(before, owner) == _authority(now, new_owner):
        return
    was = _listed(before.kinds) if {*before.was, before.rule} != {now.rule} else ""
    hint = f"raise its generation to {before.generation + 1}" + (f", with was = {was}" if was else "")
    told = f"it was {_told(before)} and is {_told(now)}" if _told(before) != _told(now) else "who has authority changed"
    yield Wrong(key, f"{told}, both in generation {now.generation}", hint)


def _recorded(column: Recorded) -> ColumnRule:
    owned = {name: ColumnRule(other["rule"], other.get("site")) for name, other in column.get("owned_by", {}).items()}
    return ColumnRule(
        column.get("rule", "latest"),
        column.get("site"),
        owned_by=owned,
        written_by=column.get("written_by", {}),
        generation=column.get("generation", 1),
        was=tuple(column.get("was", ())),
    )


def _authority(rule: ColumnRule, owner: str | None) -> tuple[object, ...]:
    """Who has it: by the row's owner where the rule asks for that, and by who writes."""
    by_owner = sorted((name, other.rule, other.site) for name, other in rule.owned_by.items())
    asks = "owner" in {rule.rule, *(kind for _, kind, _ in by_owner), *rule.written_by.values()} or by_owner
    return rule.site, by_owner, rule.written_by, owner if asks else None


def _told(rule: ColumnRule) -> str:
    return f"{rule.rule} {rule.site}" if rule.site else rule.rule


def _listed(kinds: tuple[str, ...]) -> str:
    quoted = [f'"{kind}"' for kind in kinds]
    return quoted[0] if len(quoted) == 1 else f"[{', '.join(quoted)}]"

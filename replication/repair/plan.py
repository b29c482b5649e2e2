"""A repair plan: what each site holds of each row that differs, what the merge says of it, and why. Pure.

It is TOML: a person reads it, takes rows out if they like, and has it applied. It holds people's data: keep it so.
"""

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from replication.clock import to_datetime
from replication.core.merge import Row, RowRules, lives, merge
from replication.core.rules import Cell
from replication.core.stamps import BOTTOM, Stamp, hlc_of, site_of
from replication.errors import UsageError
from replication.postgres.states import NOTHING, Local

FORMAT = 1
_HEAD = """\
# A repair plan. Nothing is changed yet. `python -m replication repair --apply` with this file has each row brought to
# what stands under "becomes", at all sites, through the rules: as if every site had told every other again what it has.
# To leave a row as it is, delete its block. Rows that somebody has changed since make the plan stale: make a new one.
"""
_RULES = {
    "latest": "the later write holds",
    "site": "the write with authority holds, or else the later",
    "owner": "the owner's write holds, or else the later",
    "counter": "all sites' changes add up",
    "set": "all additions and removals count",
    "append": "all additions are kept",
    "greatest": "the greatest value holds",
    "least": "the least value holds",
    "frozen": "the first write holds",
}


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """A column in which the sites differ: what each shows, None for NULL; what it becomes, and why."""

    column: str
    shown: Mapping[str, str | None]
    becomes: str | None
    why: str


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """A row that differs."""

    table: str
    key: Mapping[str, str]
    finding: str
    """Sites and columns, never a value."""
    becomes: str
    states: Mapping[str, str]
    """Site -> what it holds, as a digest."""
    cells: Sequence[PlannedCell] = ()

    def __str__(self) -> str:
        return f"{self.table} ({', '.join(f'{name} = {text}' for name, text in self.key.items())})"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be repaired; ``by`` whoever made it, ``rules`` the version under which the merge was told."""

    made: str
    by: str
    rules: str
    rows: Sequence[PlannedRow] = field(default_factory=list)

    def as_toml(self) -> str:
        """The file."""
        return "\n".join([_HEAD, *_toml(self)]) + "\n"


def plan_row(
    table: str,
    key: Mapping[str, str],
    held: Mapping[str, Local],
    rules: RowRules,
    names: Mapping[int, str],
    differing: Sequence[str],
) -> PlannedRow:
    """What becomes of a row; ``differing``: its columns that are not alike, as far as they were found."""
    merged = reduce(lambda left, right: merge(left, right, rules), (local.row for local in held.values()))
    cells = list(_cells(held, merged, rules, names))
    where = [f"{site}: {_existence(local)}" for site, local in held.items()]
    columns = sorted({*differing, *(cell.column for cell in cells)})
    finding = "; ".join([", ".join(where), *([f"{', '.join(columns)} differ"] if columns else [])])
    becomes = "there" if lives(merged, rules) else "deleted" if merged.known or merged.deleted else "as it is"
    return PlannedRow(table, key, finding, becomes, {site: digest(local) for site, local in held.items()}, cells)


def digest(local: Local) -> str:
    """What a site holds of a row: changes when anything of it does, whatever the order of its columns."""
    said = (local.visible, str(local.appearance.hidden), _essence(local.row))
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]


def senders(held: Mapping[str, Local], rules: RowRules) -> list[str]:
    """The sites that have something of the row which no other sender has: what they send makes all alike."""
    found: list[str] = []
    for site, local in held.items():
        if local.row.known or local.row.deleted:
            found = [one for one in found if not _adds_nothing(held[one].row, local.row, rules)] + [site]
            if any(_adds_nothing(local.row, held[one].row, rules) for one in found[:-1]):
                found.pop()
    return found


def _adds_nothing(row: Row, known: Row, rules: RowRules) -> bool:
    """Is a row's state contained in another's?"""
    return _essence(merge(known, row, rules)) == _essence(known)


def _essence(row: Row) -> tuple[object, ...]:
    """A row's state without what belongs to the last write of it, or to the order of columns."""
    cells = sorted((name, cell.stamp, cell.value, sorted(cell.parts.items())) for name, cell in row.cells.items())
    saw, plain = row.saw, Stamp(0, 0, row.saw.base)
    seen = sorted((cell, stamp) for cell, stamp in saw.cells.items() if stamp != plain)
    return row.life, row.base, row.deleted, row.cascaded, cells, saw.base, saw.life, seen


def _existence(local: Local) -> str:
    if local.visible:
        return "there"
    if local.exists:
        return "hidden"
    return "deleted" if local.row.deleted else "missing"


def _cells(held: Mapping[str, Local], merged: Row, rules: RowRules, names: Mapping[int, str]) -> Iterator[PlannedCell]:
    for name in sorted({name for local in held.values() for name in local.row.cells}):
        said = {site: local.row.cells[name] for site, local in held.items() if name in local.row.cells}
        if len({(cell.stamp, cell.value) for cell in said.values() if not cell.masked}) > 1:
            shown = {site: "(masked)" if cell.masked else _text(cell.value) for site, cell in said.items()}
            why = _why(name, list(said.values()), merged.cells[name], rules, names)
            yield PlannedCell(name, shown, _text(merged.cells[name].value), why)


def _why(name: str, said: Sequence[Cell], merged: Cell, rules: RowRules, names: Mapping[int, str]) -> str:
    moment = merged.stamp.moment
    written = "from before replication"
    if moment > BOTTOM:
        at = names.get(site_of(moment), f"site {site_of(moment)}")
        written = f"written at {at}, {to_datetime(hlc_of(moment)):%Y-%m-%d %H:%M:%S} UTC"
    if len({cell.stamp for cell in said}) == 1:
        return f"{written}; one write that is not the same everywhere: of its values the greater text holds"
    if any(cell.stamp.generation < merged.stamp.generation for cell in said):
        return f"{written}; what was written under the newer rule holds"
    return f"{written}; {_RULES[rules.of(name, merged.stamp.generation)]}"


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


# -- the file ----------------------------------------------------------------------------------------------------------


def _toml(plan: Plan) -> Iterator[str]:
    yield f"format = {FORMAT}"
    yield from (f"{name} = {_quoted(getattr(plan, name))}" for name in ("made", "by", "rules"))
    for row in plan.rows:
        yield "\n[[row]]"
        yield f"table = {_quoted(row.table)}"
        yield f"key = {_table(row.key)}"
        yield f"finding = {_quoted(row.finding)}"
        yield f"becomes = {_quoted(row.becomes)}"
        yield f"states = {_table(row.states)}"
        for cell in row.cells:
            yield "\n[[row.cell]]"
            yield f"column = {_quoted(cell.column)}"
            yield from (f"{_quoted(f'at {site}')} = {_quoted(value)}" for site, value in cell.shown.items())
            yield f"becomes = {_quoted(cell.becomes)}"
            yield f"why = {_quoted(cell.why)}"


def _table(values: Mapping[str, str]) -> str:
    return "{ " + ", ".join(f"{_quoted(name)} = {_quoted(value)}" for name, value in values.items()) + " }"


def _quoted(text: str | None) -> str:
    """JSON's strings are TOML's, but for one control character."""
    if text is None:
        return "{ null = true }"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def read_plan(text: str, file: str) -> Plan:
    """Read the file again: what is to be done, not what it says for people."""
    try:
        body = tomllib.loads(text)
        if body["format"] != FORMAT:
            raise UsageError(f"{file}: a plan of format {body['format']}: make it anew")
        rows = [_row(row) for row in body.get("row", [])]
        return Plan(str(body["made"]), str(body["by"]), str(body["rules"]), rows)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as fault:
        raise UsageError(f"{file} is no repair plan: {fault}") from fault


def _row(body: Mapping[str, Any]) -> PlannedRow:
    key = {str(name): str(text) for name, text in body["key"].items()}
    states = {str(site): str(held) for site, held in body["states"].items()}
    return PlannedRow(str(body["table"]), key, str(body["finding"]), str(body["becomes"]), states)


def held_by(
    sites: Sequence[str], found: Mapping[str, Mapping[tuple[bytes, ...], Local]], key: tuple[bytes, ...]
) -> dict[str, Local]:
    """What each site holds of one row."""
    return {site: found[site].get(key, NOTHING) for site in sites}

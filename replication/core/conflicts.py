"""Which of two versions was overwritten by somebody who had not seen it: pure.

A conflict is recorded for each cell whose two versions are concurrent and differ in value, with PostgreSQL 18's name
for its type and, apart from it, what was done.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from replication.core.changes import Change
from replication.core.merge import Row, RowRules, lives
from replication.core.rules import BY_VALUE, HAS_PARTS, Cell
from replication.core.stamps import BOTTOM, Stamps, cell_id

Concurrent = Callable[[int, Change], bool]
"""(local moment, incoming change) -> neither author had the other's version."""


GENERATION = "generation"
"""Stands for the rule where one version was written before the column's rule was changed, and the other after."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two versions and what was decided. ``column`` is empty for the row's existence."""

    table: tuple[str, str]
    key: tuple[bytes, ...]
    column: str
    winner: int
    loser: int
    type: str
    resolution: str
    rule: str
    winner_value: bytes | None
    loser_value: bytes | None


def conflicts(local: Row, change: Change, merged: Row, rules: RowRules, concurrent: Concurrent) -> Iterator[Conflict]:
    """What to record when ``change`` meets ``local`` and becomes ``merged``."""
    if local.life != change.life:
        yield from _lives(local, change, rules, concurrent)
    elif local.known and not change.is_whole:  # a whole row is nobody's write
        yield from _of_one_life(local, change, merged, rules, concurrent)


def _of_one_life(
    local: Row, change: Change, merged: Row, rules: RowRules, concurrent: Concurrent
) -> Iterator[Conflict]:
    if change.op == "D" or local.deleted:
        yield from _existence(local, change, merged, rules, concurrent)
    if change.op == "D":
        return
    for name, theirs in change.row(rules).cells.items():
        mine = local.cells.get(name)
        if mine is None or mine.stamp.moment == change.moment or mine.value == theirs.value:
            continue
        rule = _rule(name, mine, theirs, rules)
        both_count = rule in HAS_PARTS and change.op == "U"
        if not both_count and mine.stamp.moment > BOTTOM and concurrent(mine.stamp.moment, change):
            yield _cell_conflict(change, name, mine, theirs, merged.cells[name], rule)


def _rule(name: str, mine: Cell, theirs: Cell, rules: RowRules) -> str:
    """What decides between the two: a generation, or the rule that the column had in theirs."""
    generation = theirs.stamp.generation
    return GENERATION if mine.stamp.generation != generation else rules.of(name, generation)


def _cell_conflict(change: Change, name: str, mine: Cell, theirs: Cell, result: Cell, rule: str) -> Conflict:
    kind = "insert_exists" if change.op == "I" else "update_origin_differs"
    applied = result == theirs
    winner, loser = (theirs, mine) if applied else (mine, theirs)
    return Conflict(
        change.table,
        change.key,
        name,
        winner.stamp.moment,
        loser.stamp.moment,
        kind,
        "apply_remote" if applied else "keep_local",
        rule,
        winner.value,
        loser.value,
    )


def _existence(local: Row, change: Change, merged: Row, rules: RowRules, concurrent: Concurrent) -> Iterator[Conflict]:
    """A delete against an edit that it had not seen."""
    if change.op == "D":
        saw = change.row(rules).saw
        cells = local.cells.items()
        edits = [cell.stamp.moment for name, cell in cells if not _seen(name, cell, saw, rules)]
        edits = [moment for moment in [*edits, local.heard] if moment and concurrent(moment, change)]
        edit, delete, kind = max(edits, default=0), change.moment, "delete_origin_differs"
    else:
        seen = any(_seen(name, cell, local.saw, rules) for name, cell in change.row(rules).cells.items())
        edit, delete, kind = 0 if seen else change.moment, local.deleted, "update_deleted"
        edit = edit if edit and concurrent(delete, change) else 0
    if not edit:
        return
    alive = lives(merged, rules)
    applied = alive == (change.op != "D")
    winner, loser = (edit, delete) if alive else (delete, edit)
    yield existence_conflict(change.table, change.key, winner, loser, rules, kind=kind, applied=applied)


def _seen(name: str, cell: Cell, saw: Stamps, rules: RowRules) -> bool:
    """Does what a delete saw of a cell say that it saw this write, or one that outdoes it?"""
    seen = saw.of(cell_id(name))
    outdone = rules.of(name, cell.stamp.generation) not in HAS_PARTS | BY_VALUE
    return cell.stamp <= seen if outdone else cell.stamp == seen


def _lives(local: Row, change: Change, rules: RowRules, concurrent: Concurrent) -> Iterator[Conflict]:
    """Somebody inserted the row anew, and somebody wrote to its earlier life without knowing."""
    remote_wins = change.life > local.life
    if change.op == "D" or not local.newest or not concurrent(local.newest, change):
        return
    winner, loser = (change.moment, local.newest) if remote_wins else (local.newest, change.moment)
    kind = "insert_exists" if change.op == "I" and local.known and not local.deleted else "update_deleted"
    yield existence_conflict(change.table, change.key, winner, loser, rules, kind=kind, applied=remote_wins)


def existence_conflict(
    table: tuple[str, str],
    key: tuple[bytes, ...],
    winner: int,
    loser: int,
    rules: RowRules,
    *,
    kind: str = "delete_origin_differs",
    applied: bool = True,
) -> Conflict:
    """What is recorded when two sites disagree about the row as such. The moments are those of its versions."""
    outcome = "apply_remote" if applied else "keep_local"
    return Conflict(table, key, "", winner, loser, kind, outcome, f"delete = {rules.delete}", None, None)

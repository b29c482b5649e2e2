"""What becomes of a row when changes arrive: pure. Reading, locking and writing are the caller's.

1. An update before its insert waits (scenario 7), and so does a row that would live without its parent.
2. Nothing else waits: what is merged under a tombstone needs no parent.
3. A column that was added here after the row came was filled with its default under the insert's own stamp. What the
   insert says of it, when that arrives, is what was written.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from replication.core.changes import Change, Key
from replication.core.conflicts import Concurrent, Conflict, conflicts
from replication.core.merge import Row, RowRules, lives, merge

MissingParent = Callable[[Key, Row], str]
"""Which parent a row would lack here that refers as this state does, in words; empty for none."""


@dataclass(slots=True)
class Decision:
    """The row's new state, what waits and why, and what is to be recorded."""

    row: Row
    waits: list[tuple[Change, str, str]] = field(default_factory=list)
    """Change, reason, detail."""
    conflicts: list[Conflict] = field(default_factory=list)


def decide(
    local: Row, changes: Sequence[Change], rules: RowRules, concurrent: Concurrent, missing_parent: MissingParent
) -> Decision:
    """Merge changes of one row into its local state."""
    decision = Decision(local)
    for change in sorted(changes, key=lambda change: change.moment):
        row = decision.row
        if change.op == "U" and (change.life > row.life or not (row.known or row.deleted)):
            decision.waits.append((change, "insert", ""))
            continue
        merged = merge(_unfilled(row, change, rules), change.row(rules), rules)
        missing = ""
        if lives(merged, rules):  # what it was merged with while it was dead refers, too
            missing = missing_parent(change.key, change.row(rules) if lives(row, rules) else merged)
        if missing:
            decision.waits.append((change, "parent", missing))
            continue
        decision.conflicts += conflicts(row, change, merged, rules, concurrent)
        decision.row = merged
    return decision


def _unfilled(row: Row, change: Change, rules: RowRules) -> Row:
    """The row without the cells that stand under the stamp of this insert with another value, and that nobody wrote. A
    whole row is what a site has and not what the insert said: of two values of one stamp, the rule's order decides."""
    if change.op != "I" or change.is_whole or row.life != change.life:
        return row
    filled = {
        name
        for name, value in change.cells.items()
        for mine in [row.cells.get(name)]
        if mine is not None and mine.stamp.moment == change.moment and mine.value != value
        if mine.parts == rules.unfold(name, {}, mine.value, change.moment, mine.stamp.generation)
    }
    return replace(row, cells={name: cell for name, cell in row.cells.items() if name not in filled}) if filled else row

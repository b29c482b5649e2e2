"""The uncommon case, row by row: lock, read, merge, write back what the merge decided.

What does not fit the set-wise statements comes here: a row that somebody else changed too, a key that is deleted or not
there yet, a delete, a rule with authority.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce

from replication import events, metrics
from replication.apply.residence import Residence
from replication.apply.tables import Tables
from replication.core.changes import Change, Key
from replication.core.concurrency import Passage, had, holder
from replication.core.conflicts import Conflict, existence_conflict
from replication.core.deciding import decide
from replication.core.merge import Row, lives, merge
from replication.core.progress import format_lsn
from replication.core.stamps import site_of
from replication.core.views import NEVER
from replication.postgres import applying, residency, rows, states, tombstones
from replication.postgres.catalog import ForeignKey, Table
from replication.postgres.connect import Connection
from replication.postgres.states import Local

Park = Callable[[Change, str, str], None]


@dataclass(slots=True)
class Merger:
    """Merges changes into the rows of one database."""

    connection: Connection
    number: int
    """This site's."""
    sites: Sequence[str]
    """All of them, by name."""
    tables: Tables
    park: Park
    _passages: dict[int, list[Passage]] = field(default_factory=dict)

    def merge(self, table: Table, changes: Sequence[Change]) -> None:
        """Merge changes of one table, all that concern a row together. Writes are pipelined."""
        by_key: dict[Key, list[Change]] = {}
        for change in changes:
            by_key.setdefault(change.key, []).append(change)
        keys = sorted(by_key)
        local = self._read(table, keys, by_key)
        residence = self.tables.residence(table)
        if residence is not None:
            local = residence.remember(local, keys, self.tables.rules(table))
        found = list[Conflict]()
        self._passages.clear()
        with self.connection.pipeline():
            for key in keys:
                found += self._merge_row(table, key, local.get(key, states.NOTHING), by_key[key])
            applying.record_conflicts(self.connection, found)
        _observe(table, found)

    def _read(self, table: Table, keys: list[Key], by_key: Mapping[Key, list[Change]]) -> dict[Key, Local]:
        rules = self.tables.rules(table)
        local = states.read(self.connection, table, keys, rules)
        unknown = [key for key in keys if key not in local and any(change.op == "D" for change in by_key[key])]
        if unknown:
            states.lock_against_inserts(self.connection, table)
            local |= states.read(self.connection, table, unknown, rules)
        return local

    def _merge_row(self, table: Table, key: Key, local: Local, changes: list[Change]) -> list[Conflict]:
        newer = local.entombed and not local.visible and any(c.op != "D" and c.life <= local.row.life for c in changes)
        if newer and tombstones.give_way(self.connection, table, key, self.sites):
            local = states.NOTHING
        rules = self.tables.rules(table)
        residence = self.tables.residence(table)
        if residence is not None and self._keep_out(residence, key, local, changes):
            return []
        decision = decide(local.row, changes, rules, self._concurrent, partial(self._missing_parent, table))
        for change, reason, detail in decision.waits:
            self.park(change, reason, detail)
        row = decision.row if residence is None else residence.masked(decision.row)
        if row != local.row:
            self._write(table, key, local, row, changes)
        if residence is not None and row.known:
            residence.admit(key, local)
            residence.note(key, local.row, row, changes, rules)
        return decision.conflicts

    def _keep_out(self, residence: Residence, key: Key, local: Local, changes: Sequence[Change]) -> bool:
        """Where the merged row is not shared with this site: take it away, and keep what must be known of it."""
        table, column = residence.table, residence.here.rows.column
        rules = self.tables.rules(table)
        merged = reduce(lambda row, change: merge(row, change.row(rules), rules), changes, local.row)
        if column is None or not residence.is_kept_out(merged):
            return False
        kept = residence.without_values(merged)
        if local.visible:
            states.delete(self.connection, table, key)
        if kept.deleted:
            states.entomb(self.connection, table, key, kept, rules, image=True, passed=_passed(changes))
        residency.withhold(self.connection, table, key, kept, column)
        residence.note(key, local.row, merged, changes, rules)
        return True

    def leave(self, table: Table, keys: Sequence[Key]) -> None:
        """Take away what is here and may not stay: rows, and the values of columns."""
        residence, rules = self.tables.residence(table), self.tables.rules(table)
        if residence is None:
            return
        for key, local in states.read(self.connection, table, list(keys), rules).items():
            row = residence.masked(local.row)
            if residence.here.rows == NEVER:
                states.delete(self.connection, table, key)
            elif not self._keep_out(residence, key, local, ()) and row != local.row:
                self._write(table, key, local, row, [])

    def _missing_parent(self, table: Table, change: Change) -> str:
        cells = {**dict(zip(table.key, change.key, strict=True)), **change.cells}
        for reference in table.foreign_keys:
            if change.op == "D" or not set(reference.columns) <= cells.keys():
                continue
            parent = tuple(cells[name] for name in reference.columns)
            if reference.parent == table.qualified and parent == change.key:
                continue
            values = [[value] for value in parent]
            missing = rows.missing_parents(self.connection, table, reference, reference.columns, values)
            if missing and not self.bring_back(reference, [parent]):  # type: ignore[list-item]
                return f"{'.'.join(reference.parent)} has no row for ({', '.join(reference.columns)})"
        return ""

    def bring_back(self, reference: ForeignKey, keys: Sequence[Key]) -> set[Key]:
        """Make deleted parents visible again, because a live row refers to them; return those that are visible now.

        A parent's visibility is a function of the live rows: it lives, or a visible row refers to it. It comes back
        its own stamps, and its tombstone stays beside it, so that it goes when the last such row does (`release`).
        """
        table = self.tables.get(reference.parent)
        if table is None or table.key != reference.parent_columns:
            return set()
        rules = self.tables.rules(table)
        local = states.read(self.connection, table, list(keys), rules)
        for key, state in local.items():
            if not state.visible and state.row.known:
                states.insert(self.connection, table, key, state.row, state.row.newest, rules)
                states.entomb(self.connection, table, key, state.row, rules, image=False, passed={})
        return {key for key, state in local.items() if state.visible or state.row.known}

    def settle(self, table: Table, keys: Sequence[Key]) -> None:
        """Decide on rows that were inserted here while their delete was applied: by the table's rule, like any other
        write that is concurrent with a delete."""
        rules = self.tables.rules(table)
        for key, state in states.read(self.connection, table, list(keys), rules).items():
            row = state.row
            if state.shown is None or not row.deleted:
                continue
            stays = lives(row, rules) or states.has_children(self.connection, table, key)
            outlived = state.shown.life < row.life
            if outlived or not stays:
                states.delete(self.connection, table, key)
                lost = existence_conflict(table.qualified, key, row.deleted, state.shown.newest, rules)
                applying.record_conflicts(self.connection, [lost])
                _observe(table, [lost])
            if outlived and stays:
                states.insert(self.connection, table, key, row, row.newest, rules)
            states.entomb(self.connection, table, key, row, rules, image=not stays, passed={})

    def release(self, table: Table, keys: Sequence[Key]) -> None:
        """Let deleted rows go that came back, or stayed, for rows which are gone by now."""
        rules = self.tables.rules(table)
        for key, state in states.read(self.connection, table, list(keys), rules).items():
            if state.visible and not lives(state.row, rules) and not states.has_children(self.connection, table, key):
                states.delete(self.connection, table, key)
                states.entomb(self.connection, table, key, state.row, rules, image=True, passed={})

    def _write(self, table: Table, key: Key, local: Local, row: Row, changes: list[Change]) -> None:
        connection, rules = self.connection, self.tables.rules(table)
        alive = lives(row, rules) or (local.visible and states.has_children(connection, table, key))
        if alive and local.shown is not None:
            before = local.shown.cells
            changed = [
                n for n in table.values if n in row.cells and (n not in before or row.cells[n].value != before[n].value)
            ]
            states.update(connection, table, key, row, changed, row.newest, rules)
        elif alive:
            states.insert(connection, table, key, row, row.newest, rules)
        elif local.visible:
            states.delete(connection, table, key)
        if row.deleted:
            states.entomb(connection, table, key, row, rules, image=not alive, passed=_passed(changes))
        elif local.entombed:
            states.disinter(connection, table, key)

    def _passages_of(self, site: int) -> list[Passage]:
        if site not in self._passages:
            self._passages[site] = applying.passages(self.connection, site)
        return self._passages[site]

    def _concurrent(self, version: int, change: Change) -> bool:
        """Had neither author the other's version?"""
        author, site = change.author, site_of(version)
        if site == author.number or change.seen == version:
            return False
        theirs = Passage(author.number, change.moment, change.moment, author.from_lsn, author.to_lsn, author.applied)
        known = self._passages_of(site)
        if had(theirs, version, known):
            return False
        return site == self.number or not had(holder(version, known), change.moment, [theirs])


def _passed(changes: Sequence[Change]) -> dict[str, str]:
    """Behind what every site must be before the tombstone of these deletes may go."""
    deletes = sorted((change.committed, change.author.origin) for change in changes if change.op == "D")
    return {origin: format_lsn(committed + 1) for committed, origin in deletes}


def _observe(table: Table, found: Sequence[Conflict]) -> None:
    for (kind, resolution), count in Counter((one.type, one.resolution) for one in found).items():
        metrics.CONFLICTS.labels(kind, resolution).inc(count)
        events.logger().info(events.CONFLICTS_RECORDED, table=str(table), type=kind, resolution=resolution, count=count)

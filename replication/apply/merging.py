"""The uncommon case, row by row: lock, read, merge, write back what the merge decided.

What does not fit the set-wise statements comes here: a row that somebody else changed too, a key that is deleted or not
there yet, a delete, a rule with authority.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial, reduce

from replication.apply.presenting import Presenter
from replication.apply.recording import record
from replication.apply.residence import Residence
from replication.apply.tables import Tables
from replication.core.changes import Change, Key
from replication.core.concurrency import Passage, had, holder
from replication.core.conflicts import Conflict, existence_conflict
from replication.core.deciding import Decision, decide
from replication.core.merge import Row, merge
from replication.core.progress import format_lsn
from replication.core.stamps import site_of
from replication.core.views import NEVER
from replication.errors import ApplyError, DecodeError
from replication.postgres import applying, residency, states, tombstones
from replication.postgres.catalog import Table
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
    presenter: Presenter = field(init=False)
    _passages: dict[int, list[Passage]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.presenter = Presenter(self.connection, self.tables)

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
        found, due = list[Conflict](), self.presenter.sharers(table, keys)
        self._passages.clear()
        with self.connection.pipeline():
            for key in keys:
                decision = self._merge_row(table, key, local.get(key, states.NOTHING), by_key[key])
                found += decision.conflicts
                if decision.row.known:
                    due.add(key)
        record(self.connection, table, found)
        self.presenter.derive(table, due)

    def _read(self, table: Table, keys: list[Key], by_key: Mapping[Key, list[Change]]) -> dict[Key, Local]:
        rules = self.tables.rules(table)
        local = states.read(self.connection, table, keys, rules)
        unknown = [key for key in keys if key not in local and any(change.op == "D" for change in by_key[key])]
        if unknown:
            states.lock_against_inserts(self.connection, table)
            local |= states.read(self.connection, table, unknown, rules)
        return local

    def _merge_row(self, table: Table, key: Key, local: Local, changes: list[Change]) -> Decision:
        newer = local.entombed and not local.exists and any(c.op != "D" and c.life <= local.row.life for c in changes)
        if newer and tombstones.give_way(self.connection, table, key, self.sites, self.tables.needs(table.qualified)):
            local = states.NOTHING
        rules = self.tables.rules(table)
        residence = self.tables.residence(table)
        with _readable(table):
            if residence is not None and self._keep_out(residence, key, local, changes):
                return Decision(Row())
            decision = decide(
                local.row, changes, rules, self._concurrent, partial(self.presenter.missing_parent, table)
            )
        for change, reason, detail in decision.waits:
            self.park(change, reason, detail)
        row = decision.row if residence is None else residence.masked(decision.row)
        if row != local.row:
            self._write(table, key, local, row, changes)
        if residence is not None and row.known:
            residence.admit(key, local)
            residence.note(key, local.row, row, changes, rules)
        return decision

    def _keep_out(self, residence: Residence, key: Key, local: Local, changes: Sequence[Change]) -> bool:
        """Where the merged row is not shared with this site: take it away, and keep what must be known of it."""
        table, column = residence.table, residence.here.rows.column
        rules = self.tables.rules(table)
        merged = reduce(lambda row, change: merge(row, change.row(rules), rules), changes, local.row)
        if column is None or not residence.is_kept_out(merged):
            return False
        kept = residence.without_values(merged)
        if local.exists:
            residence.hand_over(key, local.row, rules)
        if local.visible:
            self.presenter.remove(table, key)
        if kept.deleted:
            states.entomb(self.connection, table, key, kept, rules, image=True, passed=_passed(changes))
        elif local.entombed:
            states.disinter(self.connection, table, key)
        residency.withhold(self.connection, table, key, kept, column)
        residence.note(key, local.row, merged, changes, rules)
        return True

    def leave(self, table: Table, keys: Sequence[Key]) -> None:
        """Take away what is here and may not stay: rows, and the values of columns."""
        residence, rules = self.tables.residence(table), self.tables.rules(table)
        if residence is None:
            return
        due = self.presenter.sharers(table, keys)
        for key, local in states.read(self.connection, table, list(keys), rules).items():
            row = residence.masked(local.row)
            if residence.here.rows == NEVER:
                self._forget(table, key, local)
            elif not self._keep_out(residence, key, local, ()) and row != local.row:
                self._write(table, key, local, row, [])
        self.presenter.derive(table, due)

    def _forget(self, table: Table, key: Key, local: Local) -> None:
        """Take a row away of which nothing needs to be known here; of a deleted one, what it was."""
        if local.visible:
            self.presenter.remove(table, key)
        elif local.exists:
            states.disinter(self.connection, table, key)
        else:
            gone = replace(local.row, cells={})
            states.entomb(self.connection, table, key, gone, self.tables.rules(table), image=True)

    def settle(self, table: Table, keys: Sequence[Key]) -> None:
        """Decide on rows that were inserted here while their delete was applied: by the table's rule, like any other
        write that is concurrent with a delete."""
        rules = self.tables.rules(table)
        for key, state in states.read(self.connection, table, list(keys), rules).items():
            row = state.row
            if state.shown is None or not row.deleted:
                continue
            stays = self.presenter.exists(table, key, state, row)
            outlived = state.shown.life < row.life
            if outlived or not stays:
                self.presenter.remove(table, key)
                lost = existence_conflict(table.qualified, key, row.deleted, state.shown.newest, rules)
                record(self.connection, table, [lost])
            if outlived and stays:
                self.presenter.show(table, key, replace(state, shown=None), row)
            else:
                states.entomb(self.connection, table, key, row, rules, image=not stays)
        self.presenter.derive(table, keys)

    def derive_anew(self, table: Table, keys: Sequence[Key]) -> list[Key]:
        """Show what follows from these rows' states; returns those that are to come back and whose parent is not here
        yet."""
        rules, residence = self.tables.rules(table), self.tables.residence(table)
        due = self.presenter.sharers(table, keys).union(keys)
        if residence is not None:
            known = states.read(self.connection, table, list(keys), rules)
            keys = [key for key, state in known.items() if not residence.is_kept_out(state.row)]
        waits = self.presenter.settle(table, keys)
        self.presenter.derive(table, due)
        return waits

    def release(self, table: Table, keys: Sequence[Key]) -> None:
        """Let deleted rows go that came back, or stayed, for rows which are gone by now; be they fallen meanwhile."""
        rules = self.tables.rules(table)
        for key, state in states.read(self.connection, table, list(keys), rules).items():
            is_there = self.presenter.exists if state.visible else self.presenter.is_wanted
            if state.exists and not is_there(table, key, state, state.row):
                self.presenter.bury(table, key, state)
        self.presenter.follow()

    def _write(self, table: Table, key: Key, local: Local, row: Row, changes: list[Change]) -> None:
        if self.presenter.exists(table, key, local, row):
            self.presenter.show(table, key, local, row, _passed(changes))
            return
        if local.visible:
            self.presenter.remove(table, key)
        else:
            self.presenter.moved(table, key)  # a child that came with it may be there already
        if row.deleted:
            states.entomb(
                self.connection, table, key, row, self.tables.rules(table), image=True, passed=_passed(changes)
            )
        elif local.entombed:
            states.disinter(self.connection, table, key)

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


@contextmanager
def _readable(table: Table) -> Iterator[None]:
    """A value or a part that the column's rule cannot read concerns its own row alone."""
    try:
        yield
    except (ValueError, ArithmeticError, LookupError, TypeError, DecodeError) as fault:
        raise ApplyError(f"{table}: a change says what its column's rule cannot read") from fault


def _passed(changes: Sequence[Change]) -> dict[str, str]:
    """Behind what every site must be before the tombstone of these deletes may go."""
    deletes = sorted((change.committed, change.author.origin) for change in changes if change.op == "D")
    return {origin: format_lsn(committed + 1) for committed, origin in deletes}

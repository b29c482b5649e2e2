"""Derives anew what a site shows where the rules by which that follows were changed: delete, unique, parent (P13).

What exists and what is shown is a function of the rows' states and these rules, so nothing must be told to the other
sites, and no generation decides: sites that follow the same rules show the same, whenever each of them began to. For
that no state is forgotten on which another rule decides (replication/postgres/tombstones.py, 6).

1. A table is due when its triggers are made for the rules in force and something else is on record as what it was last
   derived under. That is recorded when all its rows were looked at: so a process that ends begins again, and no harm is
   done by looking at a row twice.
2. What may be shown otherwise has a tombstone, or shows something else than it claims: the table's own rows, and those
   that they refer to. They are looked at in batches, each a transaction and a step of its own, for meanwhile nothing is
   applied. Who meets a lock goes on from where it was.
3. A row that cannot be shown yet (its parent is on its way, the database refuses it) is looked at again later.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import psycopg

from replication import events
from replication.apply.applier import is_of_the_moment
from replication.apply.merging import Merger
from replication.core.changes import Key
from replication.definitions import Standing, standing_of
from replication.errors import RulesUnknownError
from replication.postgres import claims, enlist, tombstones
from replication.postgres.catalog import Table
from replication.postgres.connect import Connection
from sitecfg import Rules

BATCH_ROWS = 500
Name = tuple[str, str]


@dataclass(slots=True)
class _Round:
    """What is yet to be looked at of one table."""

    wanted: Standing
    tables: list[Table]
    """All their deleted rows, in key order; of the first behind this key."""
    rows: list[tuple[Table, Key]]
    """And these."""
    after: list[str] = field(default_factory=list)
    left: list[tuple[Table, Key]] = field(default_factory=list)
    """What could not be shown."""

    def batch(self, connection: Connection) -> tuple[Table, list[Key]] | None:
        """What is next, until it has passed."""
        while self.tables:
            if keys := tombstones.keys(connection, self.tables[0], self.after, BATCH_ROWS):
                return self.tables[0], keys
            del self.tables[0]
            self.after = []
        if not self.rows:
            return None
        table = self.rows[0][0]
        own = [key for one, key in self.rows[:BATCH_ROWS] if one.qualified == table.qualified]
        return table, own

    def passed(self, table: Table, keys: Sequence[Key], left: Collection[Key]) -> None:
        """A batch was looked at."""
        self.left += [(table, key) for key in left]
        if self.tables:
            self.after = [part.decode() for part in keys[-1]]
        else:
            looked = {(table.qualified, key) for key in keys}
            self.rows = [(one, key) for one, key in self.rows if (one.qualified, key) not in looked]


@dataclass(slots=True)
class Deriver:
    """Looks after the tables of one database, with the rules that this process has read."""

    connection: Connection
    merger: Merger
    declared: Rules
    _rounds: dict[Name, _Round] = field(default_factory=dict)
    _left: dict[Name, list[tuple[Table, Key]]] = field(default_factory=dict)
    """Of the tables that were looked at: the rows that could not be shown."""

    def look(self) -> None:
        """Find what is due. Raises :class:`RulesUnknownError` where the rules were changed since this process has read
        them: it ends, and reads them when it is started again."""
        for name, made, derived in enlist.standings(self.connection):
            wanted = standing_of(self.declared.table(".".join(name)))
            if made == wanted and derived != wanted and name not in self._rounds:
                self.merger.tables.forget()
                self._rounds[name] = self._round(name, wanted)
            elif made != wanted and derived == wanted:
                raise RulesUnknownError(
                    f"the rules of {'.'.join(name)} (delete, unique, parent) were changed since this program has read"
                    " them: it ends, and reads them when it is started again"
                )

    def step(self) -> bool:
        """Derive the next batch anew; False where nothing is due."""
        for name, one in self._rounds.items():
            if (batch := one.batch(self.connection)) is None:
                self._end(name, one)
            else:
                one.passed(*batch, self._look_at(*batch))
            return True
        return False

    def _round(self, name: Name, wanted: Standing) -> _Round:
        if name in self._left:
            return _Round(wanted, [], self._left[name])
        table = self.merger.tables.get(name)
        if table is None:
            return _Round(wanted, [], [])
        parents = (self.merger.tables.get(reference.parent) for reference in table.foreign_keys)
        tables = {each.qualified: each for each in (table, *parents) if each is not None}
        return _Round(
            wanted, list(tables.values()), [(table, key) for key in claims.substituted(self.connection, table)]
        )

    def _end(self, name: Name, one: _Round) -> None:
        self._left[name] = one.left
        if not one.left:
            enlist.record_derived(self.connection, name, one.wanted)
            del self._left[name]
        del self._rounds[name]
        events.logger().info(events.DERIVED_ANEW, table=".".join(name), rows_left=len(one.left))

    def _look_at(self, table: Table, keys: Sequence[Key]) -> Collection[Key]:
        """Show what follows; returns the rows of which it cannot be shown yet."""
        try:
            with self.connection.transaction():
                return self.merger.derive_anew(table, keys)
        except psycopg.Error as fault:
            if is_of_the_moment(fault):
                raise
            if len(keys) == 1:
                return keys
        return [key for one in keys for key in self._look_at(table, [one])]

"""Derives anew what a site shows where the rules by which that follows were changed: delete, unique, parent (P13).

What exists and what is shown is a function of the rows' states and these rules, so nothing must be told to the other
sites, and no generation decides: sites that follow the same rules show the same, whenever each of them began to. For
that no state is forgotten on which another rule decides (replication/postgres/tombstones.py, 6).

1. A table is due when its triggers are made for the rules in force and something else is on record as what it was last
   derived under. That is recorded when all its rows were looked at: so who is interrupted begins again, and no harm is
   done by looking at a row twice.
2. What may be shown otherwise has a tombstone, or shows something else than it claims: the table's own rows, and those
   that they refer to. They are looked at in batches, each a transaction.
3. A row that cannot be shown yet (its parent is on its way, the database refuses it) is looked at again later.
"""

from collections.abc import Collection, Iterator, Sequence
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
class Deriver:
    """Looks after the tables of one database, with the rules that this process has read."""

    connection: Connection
    merger: Merger
    declared: Rules
    _left: dict[Name, list[tuple[Table, Key]]] = field(default_factory=dict)
    """Of the tables that were looked at: the rows that could not be shown."""

    def look(self) -> None:
        """Derive anew what is due. Raises :class:`RulesUnknownError` where the rules were changed since this process
        has read them: it ends, and reads them when it is started again."""
        for name, made, derived in enlist.standings(self.connection):
            wanted = standing_of(self.declared.table(".".join(name)))
            if made == wanted and derived != wanted:
                self._derive(name, wanted)
            elif made != wanted and derived == wanted:
                raise RulesUnknownError(
                    f"the rules of {'.'.join(name)} (delete, unique, parent) were changed since this program has read"
                    " them: it ends, and reads them when it is started again"
                )

    def _derive(self, name: Name, wanted: Standing) -> None:
        self.merger.tables.forget()
        batches = _batches(self._left[name]) if name in self._left else self._everything(name)
        self._left[name] = [(table, key) for table, keys in batches for key in self._look_at(table, keys)]
        if not self._left[name]:
            enlist.record_derived(self.connection, name, wanted)
            del self._left[name]
        events.logger().info(events.DERIVED_ANEW, table=".".join(name), rows_left=len(self._left.get(name, ())))

    def _everything(self, name: Name) -> Iterator[tuple[Table, list[Key]]]:
        """What may be shown otherwise, in batches."""
        table = self.merger.tables.get(name)
        if table is None:
            return
        parents = (self.merger.tables.get(reference.parent) for reference in table.foreign_keys)
        for one in {each.qualified: each for each in (table, *parents) if each is not None}.values():
            last: list[str] = []
            while keys := tombstones.keys(self.connection, one, last, BATCH_ROWS):
                yield one, keys
                last = [part.decode() for part in keys[-1]]
        yield from _batches([(table, key) for key in claims.substituted(self.connection, table)])

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


def _batches(rows: Sequence[tuple[Table, Key]]) -> Iterator[tuple[Table, list[Key]]]:
    by_name: dict[Name, tuple[Table, list[Key]]] = {}
    for table, key in rows:
        by_name.setdefault(table.qualified, (table, []))[1].append(key)
    for table, keys in by_name.values():
        for start in range(0, len(keys), BATCH_ROWS):
            yield table, keys[start : start + BATCH_ROWS]

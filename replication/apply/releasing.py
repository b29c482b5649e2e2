"""Lets rows go that were deleted and stayed, or came back, for others that are gone by now; shows those that may be.

What a local user does to one row says nothing to others that follow from it, so all of them are looked at, again and
again: so many at a time in the order of their keys, each time those behind the last ones. So each has its turn.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from replication.apply.merging import Merger
from replication.apply.tables import Name, Tables
from replication.core.changes import Key
from replication.postgres import applying
from replication.postgres.applying import FIRST_HELD, Held
from replication.postgres.connect import Connection


@dataclass(slots=True)
class Releasing:
    """For the writer's connection; made anew with it."""

    connection: Connection
    tables: Tables
    merger: Merger
    most: int = 1000
    _last: Held = FIRST_HELD

    def look(self) -> None:
        """Look at the next ones, and at those that wait to be shown."""
        with self.connection.transaction():
            for name, keys in self._next().items():
                table = self.tables.get(name)
                if table is not None:
                    self.merger.release(table, keys)
            for table in self.tables.everything():
                self.merger.presenter.refresh(table)
            applying.note_look(self.connection)

    def _next(self) -> Mapping[Name, list[Key]]:
        rows = applying.held_rows(self.connection, self._last, self.most)
        self._last = rows[-1] if len(rows) == self.most else FIRST_HELD
        found: dict[Name, list[Key]] = {}
        for schema, name, key in rows:
            found.setdefault((schema, name), []).append(tuple(part.encode() for part in key))
        return found

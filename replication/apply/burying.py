"""Looks for the rows that nobody may see again, and that are kept no longer (replication/core/burial.py).

1. Contested rows are due once every site has passed the delete, and so has the time for which such rows are kept, since
   this site learnt of what there is of them.
2. A row that fell is due when its parent is dead for good: every site has passed the parent's delete, nothing unseen
   was written to it, and nothing that may yet be shown would bring it back. Children go with the rows that they fell
   with.
3. Of a table that not every site has whole nothing is ever due: who knows part of a row cannot tell that it is dead.
4. What is due is looked for anew each time, and capture buries what still stands as it was found.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from replication.apply.families import as_referred
from replication.apply.tables import Tables
from replication.clock import now_us, to_datetime
from replication.core.changes import Key
from replication.core.claims import Hidden
from replication.postgres import burials, claims
from replication.postgres.burials import Due
from replication.postgres.catalog import ForeignKey, Table
from replication.postgres.connect import Connection

_AT_ONCE = 1000
_DAY_US = 86_400_000_000


@dataclass(slots=True)
class Burying:
    """For the writer's connection; made anew with it."""

    connection: Connection
    tables: Tables
    sites: Mapping[str, int]
    """All of them, with their numbers."""
    own: int
    kept_days: int

    def look(self) -> None:
        """Note what is due; belongs in a transaction."""
        before = to_datetime(now_us() - self.kept_days * _DAY_US)
        due = Due(before, self.own, self.sites.values(), self.sites, _AT_ONCE)
        burials.forget(self.connection)
        for table in self.tables.everything():
            if self.tables.residence(table) is not None:
                continue
            burials.note_contested(self.connection, table, due)
            for reference, parent in self._falling(table):
                holds = self.tables.holds(parent)
                keys = burials.fallen_for_good(self.connection, table, reference, parent, holds, due)
                self._note(table, keys)

    def _falling(self, table: Table) -> Iterator[tuple[ForeignKey, Table]]:
        rules = self.tables.rules(table)
        for reference in filter(self.tables.is_key, table.foreign_keys):
            parent = self.tables.get(reference.parent)
            if parent is not None and rules.parent(reference.name) == "falls":
                yield reference, parent

    def _note(self, table: Table, keys: Sequence[Key]) -> None:
        """These rows, and all that fell with them."""
        left, noted = [(table, keys)], set[tuple[tuple[str, str], Key]]()
        while left:
            table, keys = left.pop()
            fresh = [key for key in keys if (table.qualified, key) not in noted]
            if fresh:
                noted.update((table.qualified, key) for key in fresh)
                burials.note(self.connection, table, fresh)
                left += self._fallen_with(table, fresh)

    def _fallen_with(self, table: Table, keys: Sequence[Key]) -> Iterator[tuple[Table, list[Key]]]:
        for reference, child in self.tables.referring(table):
            if self.tables.residence(child) is None and self.tables.rules(child).parent(reference.name) != "null":
                below = claims.children(self.connection, child, reference, as_referred(table, reference, keys))
                why = claims.hidden_among(self.connection, child, below) if below else {}
                yield child, [key for key in below if why.get(key) is Hidden.FALLEN]

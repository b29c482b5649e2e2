"""Asks the database who exists for the sake of others (replication/core/families.py).

Gathered are the rows from which it follows whether one exists: those in sight that refer to it and would bring it back,
and the parents with which it was deleted; and of those that do not live by themselves the same, and so on.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from replication.apply.tables import Tables
from replication.core.changes import Key
from replication.core.families import Member, Name, existing
from replication.core.merge import Row, lives
from replication.postgres import states
from replication.postgres.catalog import ForeignKey, Table
from replication.postgres.connect import Connection


@dataclass(slots=True)
class Families:
    """The families of one database."""

    connection: Connection
    tables: Tables
    _members: dict[Name, Member] = field(default_factory=dict)
    _left: list[tuple[Table, Key]] = field(default_factory=list)

    def exists(self, table: Table, key: Key, row: Row) -> bool:
        """Does a row that is in this state exist, whether it lives by itself or not?"""
        if lives(row, self.tables.rules(table)):
            return True
        if not (row.known and row.deleted):
            return False
        self._members.clear()
        self._add(table, key, row)
        while self._left:
            self._gather(*self._left.pop())
        return (table.qualified, key) in existing(self._members)

    def _add(self, table: Table, key: Key, row: Row) -> None:
        rules = self.tables.rules(table)
        member = Member(
            lives(row, rules),
            row.base,
            row.deleted,
            row.cascaded,
            frozenset(_parents(table, key, row, [r for r in table.foreign_keys if rules.parent(r.name) == "returns"])),
            frozenset(_parents(table, key, row, [reference for reference, _ in self.tables.cascading(table)])),
        )
        if self._members.setdefault((table.qualified, key), member) is member and not member.lives:
            self._left.append((table, key))

    def _gather(self, table: Table, key: Key) -> None:
        for reference, child in self.tables.referring(table):
            if self.tables.rules(child).parent(reference.name) == "returns":
                if states.has_living_child(self.connection, child, reference, table, key):
                    self._members[table.qualified, key] = replace(self._members[table.qualified, key], lives=True)
                    return
                self._read(child, states.held_children(self.connection, child, reference, table, key))
        member = self._members[table.qualified, key]
        for _, parent in self.tables.cascading(table) if member.cascaded else ():
            self._read(parent, [parent_key for name, parent_key in member.follows if name == parent.qualified])

    def _read(self, table: Table, keys: Sequence[Key]) -> None:
        unknown = [key for key in keys if (table.qualified, key) not in self._members]
        found = states.read(self.connection, table, unknown, self.tables.rules(table), lock=False)
        for key, state in found.items():
            self._add(table, key, state.row)


def _parents(table: Table, key: Key, row: Row, references: Sequence[ForeignKey]) -> Iterator[Name]:
    for reference in references:
        parent = refers(table, reference, key, row)
        if parent is not None:
            yield reference.parent, parent


def as_referred(table: Table, reference: ForeignKey, keys: Iterable[Key]) -> list[Key]:
    """Keys of a table in the order in which a foreign key to it names them."""
    places = [table.key.index(name) for name in reference.parent_columns]
    return [tuple(key[place] for place in places) for key in keys]


def refers(table: Table, reference: ForeignKey, key: Key, row: Row) -> Key | None:
    """The key of the parent that a row refers to, unless that is the row itself."""
    parts = [
        key[table.key.index(name)] if name in table.key else row.cells[name].value if name in row.cells else None
        for name in reference.columns
    ]
    parent = tuple(part for part in parts if part is not None)
    itself = reference.parent == table.qualified and parent == key
    return None if None in parts or itself else parent

"""What this site's tables are, remembered: their columns, their rules, and parents before children."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from psycopg import sql

from replication.apply.residence import Residence, residence_of
from replication.core.claims import UniqueKey
from replication.core.merge import RowRules
from replication.core.rules import RAISES_EPOCH
from replication.core.widening import Widening
from replication.definitions import row_rules
from replication.errors import UsageError
from replication.postgres import claims
from replication.postgres.catalog import ForeignKey, Table, describe
from replication.postgres.connect import Connection
from replication.postgres.indexes import UniqueIndex, constraints, unique_keys
from sitecfg import Rules

Name = tuple[str, str]


@dataclass(slots=True)
class Tables:
    """Asks the catalog once for each table, until told to forget."""

    connection: Connection
    declared: Rules
    sites: Sequence[str] = ()
    """All of them, by name, and"""
    own: str = ""
    widenings: Mapping[Name, Widening] = field(default_factory=dict)
    """What this site has yet to send because the rules of who receives what have changed."""
    _listed: object = None
    _tables: dict[Name, Table | None] = field(default_factory=dict)
    _dropped: dict[Name, frozenset[str]] = field(default_factory=dict)
    _rules: dict[Name, RowRules] = field(default_factory=dict)
    _ranks: dict[Name, int] = field(default_factory=dict)
    _residences: dict[Name, Residence | None] = field(default_factory=dict)
    _unique: dict[Name, list[tuple[UniqueIndex, UniqueKey]]] = field(default_factory=dict)
    _hides: dict[Name, bool] = field(default_factory=dict)

    def look(self) -> None:
        """Forget what was read where another table was put under replication since: it may refer to one of these."""
        query = "SELECT string_agg(xmin::text, ' ' ORDER BY nspname, relname) FROM kuroshio.replicated_table"
        listed = self.connection.execute(query, prepare=True).fetchone()
        if listed != self._listed:
            self.forget()
            self._listed = listed

    def get(self, name: Name) -> Table | None:
        """The table, or None where it is not replicated here."""
        if name not in self._tables:
            self._tables[name] = self._describe(name)
        return self._tables[name]

    def _describe(self, name: Name) -> Table | None:
        listed = self.connection.execute(
            "SELECT dropped FROM kuroshio.replicated_table WHERE nspname = %s AND relname = %s", name
        ).fetchone()
        if listed is None:
            return None
        self._dropped[name] = frozenset(listed[0])  # type: ignore[call-overload]
        try:
            return describe(self.connection, *name)
        except UsageError:
            return None  # dropped: its changes wait until somebody looks

    def rules(self, table: Table) -> RowRules:
        """The rules of a table, as the merge wants them."""
        found = self._rules.get(table.qualified)
        if found is None:
            found = self._rules[table.qualified] = row_rules(table, self.declared)
        return found

    def residence(self, table: Table) -> Residence | None:
        """What this site may have of a table; None where everybody has everything."""
        name = table.qualified
        if name not in self._residences:
            self._residences[name] = residence_of(
                self.connection, table, self.declared, self.sites, self.own, self.widenings.get(name)
            )
        return self._residences[name]

    def compared(self, table: Table, columns: tuple[str, ...]) -> list[str]:
        """Of these columns' stamps the numbers that may decide before the moment does, by their names on the wire."""
        declared, found = self.declared.table(str(table)), list[str]()
        for name in columns:
            rule = declared.column(name)
            if name not in table.key and RAISES_EPOCH & rule.names:
                found += (f"term:{name}", f"epoch:{name}")
            if rule.generation > 1:
                found.append(f"generation:{name}")
        return found

    def awaited(self, table: Table, columns: Collection[str]) -> set[str]:
        """Of these columns, which the table lacks, those that may come: the others were dropped here."""
        return set(columns) - self._dropped.get(table.qualified, frozenset())

    def unique_keys(self, table: Table) -> list[tuple[UniqueIndex, UniqueKey]]:
        """The unique keys of a table besides its primary key."""
        found = self._unique.get(table.qualified)
        if found is None:
            declared = self.declared.table(str(table))
            found = unique_keys(table, constraints(self.connection, table), declared)
            self._unique[table.qualified] = found
        return found

    def is_key(self, reference: ForeignKey) -> bool:
        """Does a foreign key refer to the primary key of a replicated table?"""
        parent = self.get(reference.parent)
        return parent is not None and parent.key == reference.parent_columns

    def is_derived(self, table: Table) -> bool:
        """May a row of this table be shown otherwise than it is, because of other rows?"""
        return bool(self.unique_keys(table)) or any(
            (parent := self.get(reference.parent)) is not None and self.follows(table, reference, parent)
            for reference in table.foreign_keys
        )

    def follows(self, child: Table, reference: ForeignKey, parent: Table) -> bool:
        """May a child be shown otherwise because its parent went or came?"""
        return self.rules(child).parent(reference.name) != "returns" or self._may_hide(parent)

    def needs(self, name: Name) -> list[sql.Composed]:
        """Under which conditions a tombstone of a table is not forgotten for the sake of others."""
        table = self.get(name)
        if table is None:
            return []
        needed = [need for one, child in self.referring(table) for need in claims.needs(table, child, one)]
        return [*needed, *(claims.follows(table, reference, parent) for reference, parent in self.cascading(table))]

    def holds(self, table: Table) -> list[sql.Composable]:
        """Under which conditions something that is out of sight may yet bring a deleted row of a table back."""
        returning = [
            claims.refers_out_of_sight(table, child, reference)
            for reference, child in self.referring(table)
            if self.rules(child).parent(reference.name) == "returns"
        ]
        return [*returning, *(claims.follows(table, reference, parent) for reference, parent in self.cascading(table))]

    def referring(self, table: Table) -> list[tuple[ForeignKey, Table]]:
        """The tables whose rows refer to a table's by its primary key."""
        found = ((reference, self.get(reference.parent)) for reference in table.children)
        return [(one, child) for one, child in found if child and set(one.parent_columns) == set(table.key)]

    def cascading(self, table: Table) -> list[tuple[ForeignKey, Table]]:
        """The parents with which PostgreSQL deletes a table's rows."""
        found = ((reference, self.get(reference.parent)) for reference in table.foreign_keys if reference.cascades)
        return [(reference, parent) for reference, parent in found if parent and parent.key == reference.parent_columns]

    def _may_hide(self, table: Table) -> bool:
        """May a row of this table exist and be hidden?"""
        if table.qualified not in self._hides:
            self._hides[table.qualified] = False  # stops at circles
            self._hides[table.qualified] = any(key.outcome == "hide" for _, key in self.unique_keys(table)) or any(
                self.rules(table).parent(reference.name) == "falls"
                or ((parent := self.get(reference.parent)) is not None and self._may_hide(parent))
                for reference in table.foreign_keys
            )
        return self._hides[table.qualified]

    def everything(self) -> list[Table]:
        """The replicated tables that are here."""
        listed = self.connection.execute("SELECT nspname, relname FROM kuroshio.replicated_table ORDER BY 1, 2")
        tables = (self.get((str(schema), str(name))) for schema, name in listed.fetchall())
        return [table for table in tables if table is not None]

    def rank(self, name: Name) -> int:
        """How many parents a table has above it: parents are written first, children deleted first."""
        if name not in self._ranks:
            self._ranks[name] = 0  # stops at circles
            table = self.get(name)
            parents = {key.parent for key in table.foreign_keys} - {name} if table else set()
            self._ranks[name] = 1 + max((self.rank(parent) for parent in parents), default=-1)
        return self._ranks[name]

    def know_widenings(self, widenings: Mapping[Name, Widening]) -> None:
        """What this site has yet to send is this."""
        self.widenings = widenings
        self._residences.clear()

    def forget(self) -> None:
        """The schema may have changed."""
        self._tables.clear()
        self._ranks.clear()
        self._unique.clear()
        self._hides.clear()
        self._rules.clear()
        self._residences.clear()

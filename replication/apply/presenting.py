"""Makes a site's tables show what follows from the states of all their rows (replication/core/claims.py).

1. Each row that is written is shown plainly where nothing stands against it. Where something may (a unique key that
   others claim, a parent that may be out of sight) it is set aside first, with the substitutes that it would show if it
   lost everything, and then `derive` decides on it together with all that claim the same.
2. `derive` writes what changes: first the rows that give something up, then those that get it.
3. A row that comes into sight, or goes out of it, takes its children along.
4. What a local user does to one row says nothing to the others that wait for it: `refresh` looks after them.

What is shown travels nowhere: it is written under the replication origin, and no stamp moves.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from replication.apply.families import Families, as_referred, refers
from replication.apply.recording import record
from replication.apply.tables import Tables
from replication.core.claims import Appearance, Claim, Hidden, UniqueKey, appearance, lost
from replication.core.conflicts import Conflict
from replication.core.merge import Row, lives
from replication.postgres import claims, rows, states
from replication.postgres.catalog import ForeignKey, Table
from replication.postgres.connect import Connection
from replication.postgres.states import NO_NEEDS, Local

Key = tuple[bytes, ...]
Loss = tuple[UniqueKey, Claim, Claim]
"""A unique key, a row's own claim on it, and the one that holds."""
WAITING_AT_ONCE = 1000


class Parent(Enum):
    """What there is of a row that another refers to."""

    THERE = "there"
    HIDDEN = "hidden"
    FALLEN = "fallen"
    DEAD = "dead"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Presenter:
    """Shows the rows of one database."""

    connection: Connection
    tables: Tables
    families: Families = field(init=False)
    _moved: dict[tuple[str, str], set[Key]] = field(default_factory=dict)
    """Rows that came into sight, are out of it or outlived a delete, and whose children have not been looked after."""

    def __post_init__(self) -> None:
        self.families = Families(self.connection, self.tables)

    def sharers(self, table: Table, keys: Collection[Key]) -> set[Key]:
        """The rows that claim what one of these claims now."""
        found: set[Key] = set()
        for index, _ in self.tables.unique_keys(table):
            found.update(claim.key for claim in claims.claims(self.connection, table, index, sorted(keys)))
        return found

    def show(self, table: Table, key: Key, local: Local, row: Row, passed: Mapping[str, str] = NO_NEEDS) -> None:
        """Write a row that exists; `derive` must decide on it afterwards."""
        after = local.appearance
        if self.tables.is_derived(table) and self._may_differ(table, local, row):
            keys = [unique for _, unique in self.tables.unique_keys(table)]
            after = appearance(row, key, lost=keys, unset=self._references(table))
        self._write(table, key, local, row, after, passed)

    def _may_differ(self, table: Table, local: Local, row: Row) -> bool:
        if not local.exists:
            return True
        columns = {name for _, unique in self.tables.unique_keys(table) for name in unique.columns}
        columns.update(name for reference in table.foreign_keys for name in reference.columns)
        return any(row.cells.get(name) != local.row.cells.get(name) for name in columns)

    def _references(self, table: Table) -> list[str]:
        """The columns that show NULL where their parent is out of sight."""
        rules = self.tables.rules(table)
        return [name for one in table.foreign_keys if rules.parent(one.name) == "null" for name in one.columns]

    def remove(self, table: Table, key: Key) -> None:
        """Take a row out of its table, because it is dead."""
        states.delete(self.connection, table, key)
        self.moved(table, key)

    def moved(self, table: Table, key: Key) -> None:
        """The row came into sight, or is out of it: its children are to be looked after."""
        self._moved.setdefault(table.qualified, set()).add(key)

    def _write(
        self,
        table: Table,
        key: Key,
        local: Local,
        row: Row,
        after: Appearance,
        passed: Mapping[str, str] = NO_NEEDS,
    ) -> None:
        states.show(self.connection, table, key, local, row, after, self.tables.rules(table), passed)
        if after.hidden or not local.visible or row.deleted != local.row.deleted:
            self.moved(table, key)

    # -- what follows from all rows ------------------------------------------------------------------------------------

    def derive(self, table: Table, keys: Collection[Key]) -> None:
        """Show of these rows, and of all that claim what they claim, what follows; then look after their children."""
        if keys and self.tables.is_derived(table):
            self._derive(table, keys)
        self.follow()

    def follow(self) -> None:
        """Look after the children of what came into sight or went out of it."""
        while self._moved:
            name, parents = self._moved.popitem()
            table = self.tables.get(name)
            for reference, child in self.tables.referring(table) if table else ():
                if table and (reference.cascades or self.tables.follows(child, reference, table)):
                    self._follow(child, reference, table, as_referred(table, reference, sorted(parents)))

    def _follow(self, child: Table, reference: ForeignKey, parent: Table, values: list[Key]) -> None:
        settled = claims.cascaded(self.connection, child, reference, values) if reference.cascades else []
        self.settle(child, settled)
        if self.tables.is_derived(child):
            found = set(settled)
            if self.tables.follows(child, reference, parent):
                found.update(claims.children(self.connection, child, reference, values))
            if found:
                self._derive(child, found)

    def refresh(self, table: Table) -> None:
        """Look whether a row that waits may be shown by now, or one that was deleted with a parent is to come back."""
        for reference, parent in self.tables.cascading(table):
            back = claims.due_back(self.connection, table, reference, parent)
            self.settle(table, back)
            self.derive(table, back)
        if not self.tables.is_derived(table):
            return
        waiting = claims.waiting(self.connection, table, WAITING_AT_ONCE)
        if waiting:
            due = self._changes(table, waiting, lock=False)
            if due:
                self.derive(table, due.keys())

    def _derive(self, table: Table, keys: Collection[Key]) -> None:
        self._raise_fallen(table, keys)
        changes = self._changes(table, keys, lock=True)
        gives_up = [key for key, (local, after) in changes.items() if _gives_up(local.appearance, after)]
        for key in [*gives_up, *(key for key in changes if key not in set(gives_up))]:
            local, after = changes[key]
            self._write(table, key, local, local.row, after)

    def _raise_fallen(self, table: Table, keys: Collection[Key]) -> None:
        """Let rows that fell, and need not lie any longer, claim again what they claim: before anybody is shown."""
        why = claims.hidden_among(self.connection, table, sorted(keys))
        fallen = [key for key, hidden in why.items() if hidden is Hidden.FALLEN]
        local = states.read(self.connection, table, fallen, self.tables.rules(table))
        parents = self._parents_of(table, {key: state.row for key, state in local.items()}, {}, lock=False)
        for key, state in local.items():
            if self._by_parents(table, parents.get(key, []))[0] is not Hidden.FALLEN:
                self._write(table, key, state, state.row, Appearance(Hidden.UNIQUE))

    def _changes(self, table: Table, keys: Collection[Key], *, lock: bool) -> dict[Key, tuple[Local, Appearance]]:
        """The rows among these, and among those that claim the same, that are to be shown otherwise than they are."""
        indexes = self.tables.unique_keys(table)
        members = sorted(self.sharers(table, keys) | set(keys))
        read = states.read(self.connection, table, members, self.tables.rules(table), lock=lock)
        local = {key: state for key, state in read.items() if state.exists}
        losses: dict[Key, list[Loss]] = {}
        for index, unique in indexes:
            everybody = claims.claims(self.connection, table, index, members)
            own = {claim.key: claim for claim in everybody}
            for key, holder in lost(everybody).items():
                losses.setdefault(key, []).append((unique, own[key], holder))
        parents = self._parents_of(table, {key: state.row for key, state in local.items()}, losses, lock=lock)
        changes, found = {}, list[Conflict]()
        for key, state in local.items():
            hidden, unset = self._by_parents(table, parents.get(key, []))
            mine = losses.get(key, [])
            after = appearance(state.row, key, lost=[one for one, _, _ in mine], hidden=hidden, unset=unset)
            if after != state.appearance:
                changes[key] = (state, after)
            found += (_loss(table, key, state.row, one) for one in mine)
            if after.hidden is Hidden.FALLEN is not state.appearance.hidden:
                found += self._falls(table, key, state.row, parents[key])
        if lock:
            record(self.connection, table, found)
        return changes

    def _falls(
        self, table: Table, key: Key, row: Row, found: Iterable[tuple[ForeignKey, Parent]]
    ) -> Iterator[Conflict]:
        """Each parent that is dead and takes this row along."""
        rules = self.tables.rules(table)
        for reference, there in found:
            parent, parent_key = self.tables.get(reference.parent), refers(table, reference, key, row)
            if there is Parent.DEAD and rules.parent(reference.name) == "falls" and parent and parent_key:
                states_of = states.read(self.connection, parent, [parent_key], self.tables.rules(parent), lock=False)
                column = next((name for name in reference.columns if name in row.cells), "")
                cell = row.cells.get(column)
                yield Conflict(
                    table.qualified, key, column, states_of[parent_key].row.deleted,
                    cell.stamp.moment if cell else row.base, "foreign_key_missing", "skip",
                    f"parent.{reference.name} = falls", None, cell.value if cell else None,
                )  # fmt: skip

    # -- parents -------------------------------------------------------------------------------------------------------

    def _by_parents(self, table: Table, found: Iterable[tuple[ForeignKey, Parent]]) -> tuple[Hidden, list[str]]:
        """Why a row is hidden for the sake of its parents, and which columns show NULL for them."""
        rules, hidden, unset = self.tables.rules(table), Hidden.NO, list[str]()
        for reference, parent in found:
            rule, gone = rules.parent(reference.name), parent in (Parent.DEAD, Parent.UNKNOWN)
            if parent is Parent.THERE or (gone and rule == "returns"):
                continue
            if rule == "null":
                unset += reference.columns
            elif gone or parent is Parent.FALLEN:
                hidden = Hidden.FALLEN
            else:
                hidden = hidden or Hidden.PARENT
        return hidden, unset

    def _parents_of(
        self, table: Table, found: Mapping[Key, Row], losses: Mapping[Key, Iterable[Loss]], *, lock: bool
    ) -> dict[Key, list[tuple[ForeignKey, Parent]]]:
        """What there is of each row's parents. With ``lock``, those return that have to."""
        parents: dict[Key, list[tuple[ForeignKey, Parent]]] = {}
        for reference in filter(self.tables.is_key, table.foreign_keys):
            referred = {key: parent for key, row in found.items() if (parent := refers(table, reference, key, row))}
            there = self.find_parents(table, reference, set(referred.values()), lock=lock)
            if lock and self.tables.rules(table).parent(reference.name) == "returns":
                shown = {key for key in referred if all(one.outcome != "hide" for one, _, _ in losses.get(key, ()))}
                self.bring_back(reference, {referred[key] for key in shown if there[referred[key]] is Parent.DEAD})
            for key, parent in referred.items():
                parents.setdefault(key, []).append((reference, there[parent]))
        return parents

    def find_parents(
        self, table: Table, reference: ForeignKey, wanted: Collection[Key], *, lock: bool = True
    ) -> dict[Key, Parent]:
        """What there is of the rows with these keys. Those that are there are locked FOR KEY SHARE (pitfall P2)."""
        keys = sorted(wanted)
        if not keys:
            return {}
        columns = [list(column) for column in zip(*keys, strict=True)]
        missing = rows.missing_parents(self.connection, table, reference, reference.columns, columns, lock=lock)
        found = {key: Parent.UNKNOWN if place in missing else Parent.THERE for place, key in enumerate(keys)}
        parent = self.tables.get(reference.parent)
        if missing and parent is not None and self.tables.is_key(reference):
            rules = self.tables.rules(parent)
            gone = [keys[place] for place in sorted(missing)]
            hidden = claims.hidden_among(self.connection, parent, gone)
            for key, state in states.read(self.connection, parent, gone, rules, lock=False).items():
                if key in hidden:
                    found[key] = Parent.FALLEN if hidden[key] is Hidden.FALLEN else Parent.HIDDEN
                elif state.row.deleted and not state.visible:
                    found[key] = Parent.DEAD
        return found

    def bring_back(self, reference: ForeignKey, keys: Collection[Key]) -> set[Key]:
        """Make deleted parents visible again, because a live row refers to them; return those that exist now.

        A parent's existence is a function of the live rows: it lives, or a visible row refers to it. It comes back with
        its own stamps, and its tombstone stays beside it, so that it goes when the last such row does (`release`).
        """
        table = self.tables.get(reference.parent)
        if table is None or not self.tables.is_key(reference):
            return set()
        local = states.read(self.connection, table, sorted(keys), self.tables.rules(table))
        back = [key for key, state in local.items() if not state.exists and state.row.known]
        for key in back:
            self.show(table, key, local[key], local[key].row)
            self.missing_parent(table, key, local[key].row)
        if back and self.tables.is_derived(table):
            self._derive(table, back)
        return {key for key, state in local.items() if state.exists or state.row.known}

    def exists(self, table: Table, key: Key, local: Local, row: Row) -> bool:
        """Is the row there after the merge? It lives, or it is there for the sake of others.

        One that was deleted and is out of sight comes back with who refers to it (`bring_back`), or with its parent.
        """
        if lives(row, self.tables.rules(table)):
            return True
        if not (local.visible or row.cascaded) or not self.families.exists(table, key, row):
            return False
        return local.visible or not self.missing_parent(table, key, row)

    def is_wanted(self, table: Table, key: Key, _local: Local, row: Row) -> bool:
        """Is a row that fell, and was deleted, there for the sake of others, though they fell with it?"""
        return self.families.exists(table, key, row) or any(
            claims.children(self.connection, child, reference, as_referred(table, reference, [key]))
            for reference, child in self.tables.referring(table)
            if self.tables.rules(child).parent(reference.name) == "returns"
        )

    def missing_parent(self, table: Table, key: Key, row: Row) -> str:
        """Which parent a row would lack here, in words; those return that have to."""
        rules = self.tables.rules(table)
        for reference in table.foreign_keys:
            parent = refers(table, reference, key, row)
            if parent is None:
                continue
            found = self.find_parents(table, reference, [parent])[parent]
            returns = rules.parent(reference.name) == "returns"
            if found is Parent.DEAD and returns and self.bring_back(reference, [parent]):
                continue
            if found is Parent.UNKNOWN or (found is Parent.DEAD and returns):
                return f"{'.'.join(reference.parent)} has no row for ({', '.join(reference.columns)})"
        return ""

    def settle(self, table: Table, keys: Collection[Key]) -> list[Key]:
        """Let rows come and go whose existence follows from others; returns those that are to come, and whose parent is
        not here yet. How they are shown is to be derived afterwards."""
        waits, rules = list[Key](), self.tables.rules(table)
        for key, state in states.read(self.connection, table, list(keys), rules).items():
            exists = self.exists(table, key, state, state.row)
            if exists and not state.exists and self.missing_parent(table, key, state.row):
                waits.append(key)
            elif exists and not state.exists:
                self.show(table, key, state, state.row)
            elif state.exists and not exists:
                self.bury(table, key, state)
        return waits

    def bury(self, table: Table, key: Key, state: Local) -> None:
        """Take a row out of sight that does not exist."""
        if state.visible:
            self.remove(table, key)
        states.entomb(self.connection, table, key, state.row, self.tables.rules(table), image=True)
        self.moved(table, key)


def _loss(table: Table, key: Key, row: Row, loss: Loss) -> Conflict:
    unique, own, holder = loss
    column = unique.column or next(iter(unique.columns))
    cell = row.cells.get(column)
    value = cell.value if cell else None
    rule = f"unique.{unique.name} = {unique.outcome}"
    return Conflict(
        table.qualified, key, column, holder.age, own.age, "multiple_unique_conflicts", "keep_local", rule, value, value
    )


def _gives_up(before: Appearance, after: Appearance) -> bool:
    """Does the row free anything that another may show?"""
    return not before.hidden and (bool(after.hidden) or bool(after.instead.keys() - before.instead.keys()))

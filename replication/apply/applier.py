"""Applies the sections of messages within the caller's transaction.

1. Inserts go parents first, then updates, then deletes, children first. Nothing depends on this order but speed: what
   does not fit is merged, or waits, and merging does not depend on order. Cells of columns that this site's table does
   not have yet wait, and the others of the same change go on; those of a column that was dropped here are let go.
2. A section goes set-wise where that is right, and what the statements did not write is merged row by row.
3. ``careful``: a section that the database refuses is tried row by row, and the rows that it refuses are set aside; the
   others go on (invariant 6).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from replication import metrics
from replication.apply.lacking import change_of, section_of
from replication.apply.merging import Merger
from replication.apply.presenting import Parent
from replication.apply.sections import changes_of
from replication.apply.tables import Tables
from replication.clock import now_us
from replication.core.changes import Author, Change
from replication.core.stamps import KIND_NAMES, TERM, hlc_of
from replication.errors import ApplyError
from replication.postgres import applying
from replication.postgres.catalog import ForeignKey, Table
from replication.postgres.connect import Connection
from replication.postgres.rows import FastRows, Rows, missing_parents
from replication.wire.message import MOMENT_OF, REFERENTIAL, WHOLE, Section

REFUSED = (psycopg.Error, ApplyError)
"""What the database, or a column's rule, says of a change that it does not take."""


def is_of_the_moment(fault: psycopg.Error | ApplyError) -> bool:
    """A deadlock, a lock timeout, a lost connection: time mends it (scenario 17). Everything else is of the data, also
    a limit that a value exceeds (class 54), which psycopg counts among the operational errors."""
    return isinstance(fault, psycopg.OperationalError) and not (fault.sqlstate or "").startswith("54")


_NO_TABLE = "this site has no such table, or it has another key"
_UPDATE_ROUNDS = 3
_OPS = "IUD"
_TERM_OF = f"{KIND_NAMES[TERM]}:"


@dataclass(slots=True)
class Applier:
    """Writes rows through one connection."""

    connection: Connection
    tables: Tables
    merger: Merger
    fast: FastRows
    clock_ahead_us: int

    def apply(self, sections: Sequence[Section], author: Author, *, careful: bool) -> None:
        """Apply the sections of one message."""
        for section in sorted(sections, key=self._order):
            if careful:
                self._carefully(section, author)
            else:
                self._section(section, author)
        self.merger.presenter.follow()

    def is_ahead(self, moment: int) -> bool:
        """Is it further ahead of this site's clock than the bound? Then it waits."""
        return hlc_of(moment) > now_us() + self.clock_ahead_us

    def _order(self, section: Section) -> tuple[int, int]:
        rank = self.tables.rank(section.table)
        return _OPS.index(section.op), -rank if section.op == "D" else rank

    def _carefully(self, section: Section, author: Author) -> None:
        """Set-wise; else merged together, which settles who holds a unique key; else row by row."""
        for set_wise in (True, False):
            try:
                with self.connection.transaction():
                    self._section(section, author, set_wise=set_wise)
                return
            except REFUSED as fault:
                if is_of_the_moment(fault):
                    raise
        for change in changes_of(section, author, range(len(section.moments))):
            self.merge_or_park(change)

    def merge_or_park(self, change: Change) -> bool:
        """Merge one change; set it aside where the database refuses it. True when it was merged or waits elsewhere."""
        table = self.tables.get(change.table)
        if table is None:
            self.merger.park(change, "schema", _NO_TABLE)
            return False
        lacking = change.cells.keys() - set(table.values)
        if waiting := self.tables.awaited(table, lacking):
            self.merger.park(change_of(change, waiting), "schema", _lacks(waiting))
        if lacking:
            change = change_of(change, change.cells.keys() - lacking)
            if change.op == "U" and not change.cells:
                return False
        try:
            with self.connection.transaction():
                self.merger.merge(table, [change])
            return not waiting
        except REFUSED as fault:
            if is_of_the_moment(fault):
                raise
            self.merger.park(change, "refused", _why(fault))
            return False

    def _section(self, section: Section, author: Author, *, set_wise: bool = True) -> None:
        table = self.tables.get(section.table)
        everything = range(len(section.moments))
        if table is None or set(section.columns[: section.key_count]) != set(table.key):
            self._park(section, author, everything, "schema", _NO_TABLE)
            return
        if self.is_ahead(_latest(section, author)):
            self._park(
                section, author, everything, "clock", "its stamp is further ahead of this site's clock than the bound"
            )
            return
        lacking = set(section.columns).difference(table.types)
        if lacking:
            if waiting := self.tables.awaited(table, lacking):
                self._park(section_of(section, waiting), author, everything, "schema", _lacks(waiting))
            section = section_of(section, set(section.columns) - lacking)
            if section.op == "U" and len(section.columns) == section.key_count:
                return
        left: Sequence[int] = everything
        if set_wise and self._is_common(table, section):
            left = self._set_wise(table, section, author)
        metrics.CHANGES_APPLIED.labels(author.origin, "set").inc(len(section.moments) - len(left))
        metrics.CHANGES_APPLIED.labels(author.origin, "merge").inc(len(left))
        if left:
            self.merger.merge(table, list(changes_of(section, author, left)))

    def _is_common(self, table: Table, section: Section) -> bool:
        """Deletes, updates of a later life, of cells with parts, or of columns that nobody has any more are merged row
        by row; so is what a unique key says that PostgreSQL would not enforce, and what may move a row to other
        readers."""
        lax = {name for index, _ in self.tables.unique_keys(table) if not index.immediate for name in index.columns}
        residence = self.tables.residence(table)
        if not lax.isdisjoint(section.columns) or not (residence is None or residence.is_common(section)):
            return False
        if WHOLE in section.extra:
            return False
        if section.op == "U":
            return "life" not in section.extra and not section.blobs and len(section.columns) > len(table.key)
        return section.op == "I"

    def _set_wise(self, table: Table, section: Section, author: Author) -> Sequence[int]:
        """Write what fits; return the indices of what does not."""
        orphans, derived = self._without_parents(table, section)
        if orphans:
            self._park(section, author, sorted(orphans), "parent", "a row that it refers to is not here yet")
        residence = self.tables.residence(table)
        if residence is not None and section.op == "I":
            derived |= residence.withheld_among(section) - orphans
        aside = orphans | derived
        left: Sequence[int] = [index for index in range(len(section.moments)) if index not in aside]
        for _ in range(1 if section.op == "I" else _UPDATE_ROUNDS):
            before = len(left)
            left = self._write(table, section, left)
            if not left or len(left) == before:
                break
        return [*left, *sorted(derived)]

    def _without_parents(self, table: Table, section: Section) -> tuple[set[int], set[int]]:
        """The rows whose parent is not here yet, and those that are to be merged because it is out of sight."""
        orphans, derived = set[int](), set[int]()
        for key in table.foreign_keys:
            if set(key.columns) <= set(section.columns):
                missing = missing_parents(self.connection, table, key, section.columns, section.values)
                if missing and key.parent == table.qualified:
                    missing -= self._born_here(table, section, key.columns, missing)
                for index, found in self._parents(table, section, key, missing).items():
                    if found is Parent.UNKNOWN:
                        orphans.add(index)
                    elif found is not Parent.THERE:
                        derived.add(index)
        return orphans, derived - orphans

    def _parents(self, table: Table, section: Section, key: ForeignKey, missing: set[int]) -> dict[int, Parent]:
        """What there is of the parents that are not visible; those that have to, return."""
        places = [section.columns.index(name) for name in key.columns]
        wanted: dict[int, Any] = {index: tuple(section.values[place][index] for place in places) for index in missing}
        found = self.merger.presenter.find_parents(table, key, set(wanted.values()))
        dead = [parent for parent, what in found.items() if what is Parent.DEAD]
        if dead and self.tables.rules(table).parent(key.name) == "returns":
            back = self.merger.presenter.bring_back(key, dead)
            found |= {parent: Parent.THERE if parent in back else Parent.UNKNOWN for parent in dead}
        return {index: found[parent] for index, parent in wanted.items()}

    @staticmethod
    def _born_here(table: Table, section: Section, columns: tuple[str, ...], missing: set[int]) -> set[int]:
        """Of a table that refers to itself: the rows whose parent is in the same section, and is no orphan itself."""
        keys = list(zip(*section.values[: len(table.key)], strict=True))
        places = [section.columns.index(name) for name in columns]
        parents = {index: tuple(section.values[place][index] for place in places) for index in missing}
        orphans = set(missing)
        while True:
            born = {key for index, key in enumerate(keys) if index not in orphans}
            found = {index for index in orphans if parents[index] in born}
            if not found:
                return missing - orphans
            orphans -= found

    def _write(self, table: Table, section: Section, left: Sequence[int]) -> Sequence[int]:
        pick = _picker(left, len(section.moments))
        numbers = {name: pick(column) for name, column in self._numbers(table, section).items()}
        values: list[Any] = [pick(column) for column in section.values]
        rows = Rows(section.columns, values, pick(section.moments), pick(section.seen), numbers)
        write = self.fast.insert if section.op == "I" else self.fast.update
        return [left[index] for index in write(self.connection, table, rows)]

    def _numbers(self, table: Table, section: Section) -> dict[str, Sequence[int]]:
        """Further stamps of a section's rows: of an insert what it has, of an update all that its rules may compare."""
        if section.op == "I":
            extra = dict(section.extra)
            if "life" in extra:
                extra["life"] = [life if life > 1 else 0 for life in extra["life"]]
            return {name: column for name, column in extra.items() if name != REFERENTIAL}
        none = [0] * len(section.moments)
        return {name: section.extra.get(name, none) for name in self.tables.compared(table, section.columns)}

    def _park(self, section: Section, author: Author, indices: Sequence[int], reason: str, detail: str) -> None:
        for change in changes_of(section, author, indices):
            applying.park(self.connection, change, reason, detail)


def _why(fault: psycopg.Error | ApplyError) -> str:
    if isinstance(fault, ApplyError):
        return str(fault)
    return f"{fault.sqlstate}: {fault.diag.constraint_name or type(fault).__name__}"


def _latest(section: Section, author: Author) -> int:
    """What was seen counts too: the next local write of the row is stamped above it (Change.latest)."""
    if not section.moments:
        return 0
    if section.blobs:
        return max(change.latest for change in changes_of(section, author, range(len(section.moments))))
    extra = [max(numbers) for name, numbers in section.extra.items() if name.startswith((MOMENT_OF, _TERM_OF))]
    return max([*extra, max(section.moments), max(section.seen)])


def _lacks(columns: Collection[str]) -> str:
    return f"this site's table has no column {', '.join(sorted(columns))} yet"


def _picker(left: Sequence[int], count: int) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Takes the rows that are left out of a column."""
    if len(left) == count:
        return lambda column: column
    return lambda column: [column[index] for index in left]

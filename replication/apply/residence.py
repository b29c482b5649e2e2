"""What this site may have of a row, and whom a move concerns: where rules say that not everybody receives everything.

1. A row that the merged state does not share with this site is not here: it goes without a tombstone, and the cell that
   says so stays, so that a late, older change does not bring it back (``kuroshio.withheld``).
2. A column that is not shared with this site shows a mask, marked as one.
3. Whoever learns that a row has moved passes on what it has of it: whole, to those who see more or less of it than
   before, and the deciding cell, to those who see it no more. So an edit whose author had not heard of the move reaches
   the new readers, and of two concurrent moves everybody who had the row hears the one that holds. A whole row is a
   state like any other: merged twice, it changes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from replication.audience import audience_for, deciding
from replication.core.changes import Change, Key
from replication.core.masking import conceal
from replication.core.merge import Row, RowRules, merge
from replication.core.rules import Cell
from replication.core.views import Mask, TableView, Values, changes_for
from replication.core.widening import Widening
from replication.postgres import residency
from replication.postgres.catalog import Table
from replication.postgres.connect import Connection
from replication.postgres.masks import shown
from replication.postgres.states import NOTHING, Local
from replication.wire.message import MASK_OF, Section
from sitecfg import Rules


@dataclass(frozen=True, slots=True)
class Residence:
    """One table's readers, as this site sees them."""

    connection: Connection
    table: Table
    here: TableView
    others: Sequence[TableView]
    deciding: tuple[str, ...]
    widening: Widening | None = None
    """What this site has yet to send of it because the rules have changed."""

    def is_common(self, section: Section) -> bool:
        """May a section go set-wise? Not where it may move a row, or touch what is masked here."""
        if section.op == "I":
            return True
        touched = {*self.deciding, *self.here.cells}
        return touched.isdisjoint(section.columns) and not any(name.startswith(MASK_OF) for name in section.extra)

    def withheld_among(self, section: Section) -> set[int]:
        """The indices of those rows of a section that were withdrawn here."""
        if self.here.rows.column is None:
            return set()
        return residency.withheld_among(self.connection, self.table, section.values[: section.key_count])

    def remember(self, local: Mapping[Key, Local], keys: Sequence[Key], rules: RowRules) -> dict[Key, Local]:
        """Add to what this site holds of rows what it knows of those that were withdrawn."""
        known = dict(local)
        if self.here.rows.column is not None:
            for key, row in residency.withheld(self.connection, self.table, self.here.rows.column, keys).items():
                state = known.get(key, NOTHING)
                known[key] = replace(state, row=merge(state.row, row, rules))
        return known

    def is_kept_out(self, row: Row) -> bool:
        """Is a row in this state not shared with this site?"""
        return not self.here.rows.admits(self._values(row))

    def without_values(self, row: Row) -> Row:
        """What stays of a row that is not shared with this site."""
        column = self.here.rows.column
        return replace(row, cells={name: cell for name, cell in row.cells.items() if name == column})

    def masked(self, row: Row) -> Row:
        """The row as this site may show it."""
        values = self._values(row)
        hidden = {
            name: replace_value(cell, self._mask(name, mask, cell.value))
            for name, (reach, mask) in self.here.cells.items()
            if (cell := row.cells.get(name)) is not None and not cell.masked and not reach.admits(values)
        }
        return replace(row, cells={**row.cells, **hidden}) if hidden else row

    def _mask(self, column: str, mask: Mask, value: bytes | None) -> bytes | None:
        look = shown(self.connection, self.table.qualified, column)
        if mask.kind == "hash":  # its key is not here: the site that sends the row says what it is
            return None if look.nullable else b""
        return conceal(value, mask, b"", look.empty, look.longest)

    def admit(self, key: Key, local: Local) -> None:
        """A row that is shared with this site now was not before, perhaps."""
        if self.here.rows.column is not None and not local.visible:
            residency.release(self.connection, self.table, key)

    def hand_over(self, key: Key, row: Row, rules: RowRules) -> None:
        """A row is taken away here: who is owed it gets it now."""
        if self.widening is not None:
            residency.note_owed(self.connection, self.table, key, row, rules, self.widening)

    def note(self, key: Key, local: Row, merged: Row, changes: Sequence[Change], rules: RowRules) -> None:
        """Pass a move on to those whom it concerns."""
        after = self._values(merged)
        before = [held for held in self._before(local, changes) if held != after]
        if before and any(changes_for(view, before, after) for view in self.others):
            residency.note_move(self.connection, self.table, key, merged, rules, before)

    def _before(self, local: Row, changes: Sequence[Change]) -> Iterator[Values]:
        held = self._values(local)
        if held:
            yield held
        for change in changes:
            said = {name: change.cells[name] for name in self.deciding if name in change.cells}
            if said:
                yield {**held, **said}

    def _values(self, row: Row) -> Values:
        return {name: row.cells[name].value for name in self.deciding if name in row.cells}


def replace_value(cell: Cell, value: bytes | None) -> Cell:
    """The cell with a mask in the place of its value."""
    return Cell(cell.stamp, value, masked=True)


def residence_of(
    connection: Connection, table: Table, rules: Rules, sites: Sequence[str], own: str, widening: Widening | None
) -> Residence | None:
    """A table's readers; None where everybody receives everything."""
    views = audience_for(rules, sites, table.qualified)
    if all(view.is_everything for view in views.values()):
        return None
    others = list({repr(view.as_data()): view for site, view in views.items() if site != own}.values())
    return Residence(connection, table, views[own], others, deciding(rules.table(str(table))), widening)

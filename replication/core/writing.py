"""What a local write makes of a row: pure, as the generated triggers do it.

A write's moment is the clock's, or one microsecond above the newest of all that its author saw, so that an edit always
beats what it saw, whatever the clocks say.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from replication.core.authority import Standing
from replication.core.merge import Row, RowRules
from replication.core.rules import Cell, Write
from replication.core.stamps import Stamp, hlc_of, join, moment

Values = Mapping[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Writer:
    """A site that writes into one table."""

    number: int
    rules: RowRules
    standing: Callable[[str, Row], Standing]
    """(column, row) -> how this site stands to the cell."""

    def insert(self, before: Row, values: Values, clock_us: int) -> Row:
        """A new row; in the next life where a tombstone stands (``before`` is deleted)."""
        at = self._at(clock_us, max(before.newest, before.saw.newest) if before.deleted else 0)
        row = Row(before.life + 1 if before.deleted else 1, at)
        return replace(row, cells={name: self._born(name, value, row, values) for name, value in values.items()})

    def update(self, before: Row, values: Values, clock_us: int) -> Row:
        """The row with the columns that differ written and stamped."""
        at = self._at(clock_us, before.newest)
        edited = {
            name: self._written(name, value, before, at)
            for name, value in values.items()
            if value != before.cells[name].value
        }
        return replace(before, cells={**before.cells, **edited}, heard=0 if edited else before.heard)

    def delete(self, before: Row, clock_us: int) -> Row:
        """The row under its tombstone, which keeps what this delete saw, and one that the row had outlived."""
        at = self._at(clock_us, max(before.newest, before.saw.newest))
        seen = replace(before.stamps(), seen=0)
        saw = join(before.saw, seen) if before.deleted else seen
        return replace(before, heard=0, deleted=at, saw=saw, cascaded=False)

    def _at(self, clock_us: int, newest: int) -> int:
        return moment(max(clock_us, hlc_of(newest) + 1), self.number)

    def _written(self, name: str, value: bytes | None, before: Row, at: int) -> Cell:
        rule, authority, term = self.standing(name, before)
        return self.rules.write(name, before.cells[name], Write(value, at, authority, term), by=rule)

    def _born(self, name: str, value: bytes | None, row: Row, values: Values) -> Cell:
        """Who has authority from the start writes with an epoch; no term is known before the first edit."""
        whole = replace(row, cells={other: Cell(Stamp(0, 0, row.base), found) for other, found in values.items()})
        _, has_authority, _ = self.standing(name, whole)
        epoch, now = int(has_authority), self.rules.generation(name)
        stamp = Stamp(0, epoch, row.base).in_generation(now)
        shown = self.rules.shown(name, value)
        return Cell(stamp, shown, self.rules.unfold(name, {}, shown, row.base, now))

"""The merge of two states of a row, decided without I/O.

1. :func:`merge` is commutative, associative and idempotent: whatever the order and the number of arrivals, the same set
   of changes gives the same row (invariants 2 and 3). A change *is* a partial state, so applying is merging.
2. A greater life wins whole: a row inserted after its deletion owes nothing to the earlier one.
3. Within a life, cells merge by their column's rule, deletes by joining what they saw. Cells go on merging under a
   tombstone, so that a row that comes back is complete.
4. :func:`lives` decides visibility from the merged state alone. So the delete rule needs no generation: it is no part
   of the state, and sites that follow another one for a while agree again when they follow the same, provided that no
   state was forgotten on which it decides (:func:`is_contested`).
5. A write brings a deleted row back or does not; it never takes one away that was back: tombstones rely on that
   (tombstones.py). So the newest write of a life is remembered where nothing of it is left, and a cell whose stamp may
   become less decides nothing.
6. A row is ``known`` once its insert was seen. Before that, updates wait (scenario 7).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from replication.core.rules import BY_VALUE, CELL_RULES, DELETES, Cell, Parts, Write
from replication.core.stamps import Stamp, Stamps, cell_id, join


@dataclass(frozen=True, slots=True)
class RowRules:
    """What the configuration says of one table: a rule for each column that has one (the others are ``latest``).

    A rule that is changed begins a new *generation* of its column. A cell of a greater generation wins whole; two of
    one generation are joined by the rule that the column had in it. So the order of arrival does not matter, nor which
    site has the new rule already.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    delete: str = "stamp"
    earlier: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Column -> its rules in earlier generations, oldest first; none: there was no other."""
    parents: Mapping[str, str] = field(default_factory=dict)
    """Foreign key -> what follows when the row that it refers to is gone; the others say ``returns``."""

    def parent(self, reference: str) -> str:
        """What a foreign key says."""
        return self.parents.get(reference, "returns")

    def generation(self, column: str) -> int:
        """In which generation a column is written now."""
        return len(self.earlier.get(column, ()))

    def of(self, column: str, generation: int | None = None) -> str:
        """The name of the rule of a column: now, or in a generation."""
        earlier = self.earlier.get(column, ())
        if generation is None or generation >= len(earlier):
            return self.columns.get(column, "latest")
        return earlier[generation]

    def join(self, column: str, left: Cell, right: Cell) -> Cell:
        """The least state that contains both."""
        mine, theirs = left.stamp.generation, right.stamp.generation
        if mine != theirs:
            return left if mine > theirs else right
        return CELL_RULES[self.of(column, mine)].join(left, right)

    def shown(self, column: str, value: bytes | None) -> bytes | None:
        """What a row shows that is inserted with a value: what a write of it shows where nothing was."""
        rule, nothing = CELL_RULES[self.of(column)], Stamp(0, 0, 0)
        return rule.write(Cell(nothing, None, rule.unfold({}, None, 0)), Write(value, 1)).value

    def write(self, column: str, before: Cell, write: Write, by: str = "") -> Cell:
        """The state after a local write, which is of the present generation whatever it finds; ``by`` which rule, if
        another than the column's."""
        now = self.generation(column)
        start = before if before.stamp.generation == now else self._begun(column, before)
        after = CELL_RULES[by or self.of(column)].write(start._replace(stamp=start.stamp.in_generation(0)), write)
        return after._replace(stamp=after.stamp.in_generation(now))

    def _begun(self, column: str, before: Cell) -> Cell:
        """What a generation begins with: the value shown, as if the row had been inserted with it at that moment."""
        at = before.stamp.moment
        return Cell(Stamp(0, 0, at), before.value, CELL_RULES[self.of(column)].unfold({}, before.value, at))

    def unfold(self, column: str, parts: Parts, value: bytes | None, base: int, generation: int = 0) -> Parts:
        """A column's parts as its rule joins them, from the form beside a row that was inserted at ``base``."""
        return CELL_RULES[self.of(column, generation)].unfold(parts, value, base)

    def fold(self, column: str, cell: Cell, base: int) -> Parts:
        """A column's parts as they are kept beside a row that was inserted at ``base``."""
        return CELL_RULES[self.of(column, cell.stamp.generation)].fold(cell.parts, cell.value, base)


@dataclass(frozen=True, slots=True)
class Row:
    """The state of one row, whole or partial. Key columns are not among the cells: they never change."""

    life: int = 1
    base: int = 0
    """The moment of the newest insert in this life; 0: no insert is known yet."""
    deleted: int = 0
    """The moment of the newest delete in this life; 0: none."""
    saw: Stamps = field(default_factory=lambda: Stamps(0))
    """What the deletes had seen."""
    cells: Mapping[str, Cell] = field(default_factory=dict)
    heard: int = 0
    """The moment of the newest write of this life, if nothing of it is left and no delete is newer."""
    cascaded: bool = False
    """It was deleted with a parent (ON DELETE CASCADE), and by nobody else (`core.families`)."""

    @property
    def known(self) -> bool:
        """Was the insert seen?"""
        return self.base != 0

    @property
    def written(self) -> int:
        """The moment of the newest write."""
        return max([self.base, self.heard, *(cell.stamp.moment for cell in self.cells.values())])

    @property
    def newest(self) -> int:
        """The greatest moment in this state."""
        return max(self.written, self.deleted)

    def hearing(self, moment: int) -> "Row":
        """The row, and that something was written to it at this moment."""
        return replace(self, heard=moment) if moment > self.newest else self

    def stamps(self) -> Stamps:
        """The stamps to store with the row."""
        plain = Stamp(0, 0, self.base)
        cells = {cell_id(name): cell.stamp for name, cell in self.cells.items() if cell.stamp != plain}
        masked = frozenset(cell_id(name) for name, cell in self.cells.items() if cell.masked)
        return Stamps(self.base, self.written, self.life, cells, masked)


def merge(left: Row, right: Row, rules: RowRules) -> Row:
    """The least state that contains both."""
    if left.life != right.life:
        return max(left, right, key=lambda row: row.life)
    merged = Row(
        left.life,
        max(left.base, right.base),
        max(left.deleted, right.deleted),
        join(left.saw, right.saw),
        _merge_cells(left.cells, right.cells, rules),
        cascaded=any(row.deleted for row in (left, right))
        and all(row.cascaded for row in (left, right) if row.deleted),
    )
    return merged.hearing(max(left.written, right.written))


def _merge_cells(left: Mapping[str, Cell], right: Mapping[str, Cell], rules: RowRules) -> dict[str, Cell]:
    merged = dict(left)
    for name, cell in right.items():
        mine = merged.get(name)
        merged[name] = cell if mine is None else rules.join(name, mine, cell)
    return merged


def lives(row: Row, rules: RowRules) -> bool:
    """Is the row visible? Its insert must be known, and no delete may hold under the table's delete rule."""
    if not row.known:
        return False
    if not row.deleted:
        return True
    later = row.written > row.deleted
    return DELETES[rules.delete](later or _has_unseen(row, rules), later)


def is_contested(row: Row) -> bool:
    """Was something written to a deleted row that the deletes had not seen? Then the rule decides whether it lives, and
    no tombstone of it may be forgotten: the rule may change."""
    return bool(row.deleted) and (row.written > row.deleted or row.base > row.saw.base or any(_unseen_cells(row)))


def _has_unseen(row: Row, rules: RowRules) -> bool:
    """Does something unseen bring the row back? Where a lesser stamp may win, only a later generation does."""
    return row.base > row.saw.base or any(
        cell.stamp.generation > seen.generation or rules.of(name, cell.stamp.generation) not in BY_VALUE
        for name, cell, seen in _unseen_cells(row)
    )


def _unseen_cells(row: Row) -> Iterator[tuple[str, Cell, Stamp]]:
    """Column, cell and what the deletes saw of it, where that is less."""
    for name, cell in row.cells.items():
        seen = row.saw.of(cell_id(name))
        if cell.stamp > seen:
            yield name, cell, seen

"""Histories in which sites get columns on different days (scenario 14): what one has no column for waits there, and all
converge once they have them; sites that let it go do not."""

import pytest

from replication.apply.lacking import change_of
from replication.core.changes import Change
from replication.core.merge import lives
from replication.core.rules import Cell
from replication.core.stamps import Stamp
from replication.core.writing import Values
from tests.simulation.history import DivergedError, History
from tests.simulation.world import COLUMNS, Key, Node

STEPS = 300
LATE = ("name", "phone", "last_seen")
"""The columns that come later."""


class Lacking(Node):
    """As PostgreSQL has it: a column that is added fills the rows with its default, under their insert's own stamp."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.missing = set[str]()

    def add(self, column: str) -> None:
        self.missing.discard(column)
        for key in self.rows:
            self._fill(key)

    def insert(self, key: Key, values: Values, clock_us: int) -> None:
        """Each key is made at one site: of two inserts of one key a default might be either's
        (replication/ARCHITECTURE.md)."""
        if key == (b"%d" % self.number,):
            super().insert(key, self._here(values), clock_us)
            self._fill(key)

    def update(self, key: Key, values: Values, clock_us: int) -> None:
        super().update(key, self._here(values), clock_us)

    def change_rules(self) -> None:
        """Which may bring a row back."""
        super().change_rules()
        for key in self.rows:
            self._fill(key)

    def _merge(self, change: Change) -> None:
        if waiting := change.cells.keys() & self.missing:
            self._let_wait(change_of(change, waiting))
            change = change_of(change, change.cells.keys() - waiting)
            if change.op == "U" and not change.cells:
                return
        super()._merge(change)
        self._fill(change.key)

    def _let_wait(self, change: Change) -> None:
        self.parked.append(change)

    def _here(self, values: Values) -> Values:
        return {name: value for name, value in values.items() if name not in self.missing}

    def _fill(self, key: Key) -> None:
        row = self.rows.get(key)
        if row is not None and lives(row, self.rules):
            default = {
                name: Cell(Stamp(0, 0, row.base), None, self.rules.unfold(name, {}, None, row.base))
                for name in COLUMNS.keys() - self.missing
            }
            self.rows[key] = type(row)(
                row.life, row.base, row.deleted, row.saw, {**default, **row.cells}, row.heard, row.cascaded
            )


class OnDifferentDays(History):
    """Each site begins without some columns, and gets them one by one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for node in self.nodes:
            node.missing = set(self.dice.sample(LATE, self.dice.randint(0, len(LATE))))  # type: ignore[attr-defined]

    def keep_house(self) -> None:
        super().keep_house()
        if self.dice.random() < 0.05:
            self.dice.choice(self.nodes).add(self.dice.choice(LATE))  # type: ignore[attr-defined]

    def come_together(self) -> None:
        for node in self.nodes:
            for column in LATE:
                node.add(column)  # type: ignore[attr-defined]
        super().come_together()


class LetsGo(Lacking):
    """Does not keep what it has no column for."""

    def _let_wait(self, change: Change) -> None:
        self.done = True


@pytest.mark.parametrize("first", range(0, 150, 50))
def test_sites_that_get_their_columns_on_different_days_converge(first: int) -> None:
    for seed in range(first, first + 50):
        OnDifferentDays(seed, node=Lacking).play(STEPS)


def test_a_site_that_lets_values_go_is_found() -> None:
    with pytest.raises(DivergedError):
        _play_all(range(30))


def _play_all(seeds: range) -> None:
    for seed in seeds:
        OnDifferentDays(seed, node=LetsGo).play(STEPS)

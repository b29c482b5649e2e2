"""Seeded histories converge, at four sites and at fifty; and ones whose sites have a fault do not."""

from dataclasses import replace
from itertools import permutations

import pytest

from replication.core.merge import Row
from replication.core.rules import CELL_RULES
from replication.core.tombstones import is_passed
from tests.simulation.history import DivergedError, History
from tests.simulation.world import COLUMNS, Node

STEPS = 400


def test_every_rule_of_the_registry_is_played() -> None:
    assert set(COLUMNS.values()) == set(CELL_RULES)


@pytest.mark.parametrize("first", range(0, 500, 50))
def test_histories_at_four_sites_converge(first: int) -> None:
    for seed in range(first, first + 50):
        History(seed).play(STEPS)


def test_a_history_in_which_a_row_was_back_at_one_site_alone() -> None:
    """Elsewhere a greater generation with an older moment had taken the place of the write that brought it back."""
    History(1416).play(STEPS)


@pytest.mark.parametrize("seed", range(5))
def test_histories_at_fifty_sites_converge(seed: int) -> None:
    History(seed, 50).play(1500)


SITES = ("s1", "s2", "s3", "s4")
LINES = list(permutations(SITES, 2))


def patterns() -> list[frozenset[tuple[str, str]]]:
    """Every set of directed lines between four sites, one of those that differ only in the sites' names."""
    found: dict[frozenset[tuple[str, str]], frozenset[tuple[str, str]]] = {}
    names = [
        dict(zip(("s1", "s2", "s3", "s4"), order, strict=True)) for order in permutations(("s1", "s2", "s3", "s4"))
    ]
    for bits in range(1 << len(LINES)):
        lines = frozenset(line for place, line in enumerate(LINES) if bits >> place & 1)
        if lines not in found:
            for name in names:
                found[frozenset((name[here], name[there]) for here, there in lines)] = lines
    return sorted(set(found.values()), key=sorted)


class CutAllAlong(History):
    """Its lines are as they are, until the end."""

    def cut_or_heal(self) -> None:
        self.done["cut"] += 1


def test_every_pattern_of_cut_lines_converges_in_the_end() -> None:
    every = patterns()
    assert len(every) == 218
    for seed, cut in enumerate(every):
        CutAllAlong(seed, cut=set(cut)).play(150)


class NothingIsKept(History):
    """Contested rows are kept for no time at all: whatever the rules, nothing is left of what is dead."""

    rounds = 8

    def keep_house(self) -> None:
        super().keep_house()
        node = self.dice.choice(self.nodes)
        node.bury(self.clock_us + self.skew_us.get(node.name, 0))

    def _let_go(self) -> None:
        super()._let_go()
        for node in self.nodes:
            node.bury(self.clock_us)

    def may_stay(self, row: Row) -> bool:
        return False


@pytest.mark.parametrize("first", range(0, 150, 50))
def test_contested_rows_that_are_buried_converge_and_leave_nothing(first: int) -> None:
    for seed in range(first, first + 50):
        NothingIsKept(seed).play(STEPS)


class BuriesUnseen(Node):
    """Writes a delete that says it has seen what the last one had."""

    def buried(self, row: Row, clock_us: int) -> Row:
        return replace(super().buried(row, clock_us), saw=row.saw)


def test_a_burial_that_has_not_seen_all_is_found() -> None:
    assert any(diverges(seed, BuriesUnseen, NothingIsKept) for seed in range(300))


def test_a_history_is_what_its_seed_says() -> None:
    assert History(3).play(200).done == History(3).play(200).done


class ForgetsAtOnce(Node):
    """Drops a tombstone as soon as every site has passed the delete, whatever the others have heard of that."""

    def collect(self) -> None:
        for key, grave in list(self.graves.items()):
            if not self.visible(key) and is_passed(grave, self.claims, self.numbers):
                del self.graves[key], self.rows[key]

    def _merge(self, change) -> None:  # type: ignore[no-untyped-def]
        claims, self.claims = self.claims, {}
        super()._merge(change)
        self.claims = claims


class LastArrivalWins(Node):
    """Writes what comes over what is there."""

    def _merge(self, change) -> None:  # type: ignore[no-untyped-def]
        row = self.rows.get(change.key)
        if row and change.op == "U" and row.life == change.life and "name" in change.cells:
            self.rows[change.key] = type(row)(
                row.life, row.base, row.deleted, row.saw, {**row.cells, **change.row(self.rules).cells}
            )
        super()._merge(change)


class ForgetsWhatTheRuleWas(Node):
    """Joins what was written under an earlier rule by the one of today."""

    def change_rules(self) -> None:
        super().change_rules()
        earlier = {name: (self.rules.of(name),) * len(before) for name, before in self.rules.earlier.items()}
        self.rules = replace(self.rules, earlier=earlier)


class ForgetsWhatARuleDecidesOn(Node):
    """Drops a tombstone although its row would come back under the next delete rule."""

    def is_kept(self, row: Row) -> bool:
        return False


def diverges(seed: int, twin: type[Node], history: type[History] = History) -> bool:
    try:
        history(seed, node=twin).play(STEPS)
    except DivergedError:
        return True
    return False


@pytest.mark.parametrize(
    ("twin", "first"),
    [(ForgetsAtOnce, 0), (LastArrivalWins, 0), (ForgetsWhatTheRuleWas, 0), (ForgetsWhatARuleDecidesOn, 1100)],
)
def test_a_fault_in_the_sites_is_found(twin: type[Node], first: int) -> None:
    """From the first seed on where that does not take long."""
    assert any(diverges(seed, twin) for seed in range(first, 3000))

"""Histories in which programs die at any step converge, by seed and as Hypothesis chooses; faulty sites are found."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tests.simulation.crashes import Crashes, MortalNode
from tests.simulation.history import DivergedError
from tests.simulation.world import Message, Node

STEPS = 300
KINDS = [kind.__name__ for kind in Crashes(0).kinds()]


@pytest.mark.parametrize("first", [0, 20])
def test_histories_whose_programs_die_converge(first: int) -> None:
    done = [Crashes(seed).play(STEPS).done for seed in range(first, first + 20)]
    for kind in ("rolled back", "read again", "silent", "duplicate", "clock", "restore"):
        assert sum(counts[kind] for counts in done) > 5, f"hardly ever: {kind}"


class StoresItsPositionAlone(MortalNode):
    """Its position outlives the transaction that stored the rows."""

    def roll_back(self, before: MortalNode) -> None:
        applied = self.applied
        super().roll_back(before)
        self.applied = applied


class StoresItsRowsAlone(MortalNode):
    """What it merged outlives the transaction that stored its position; the WAL does not."""

    def roll_back(self, before: MortalNode) -> None:
        rows = self.rows
        super().roll_back(before)
        self.rows = rows


class TakesAllThatComes(MortalNode):
    """Does not ask where it stands."""

    def apply(self, origin: Node, message: Message) -> bool:
        self.applied[origin.name] = message.lsn - 1
        return super().apply(origin, message)


TWINS = [StoresItsPositionAlone, StoresItsRowsAlone, TakesAllThatComes]


@pytest.mark.parametrize("twin", TWINS)
def test_a_site_that_dies_wrongly_is_found(twin: type[MortalNode]) -> None:
    assert any(diverges(seed, twin) for seed in range(100))


def diverges(seed: int, twin: type[MortalNode]) -> bool:
    try:
        Crashes(seed, node=twin).play(STEPS)
    except (DivergedError, AssertionError):
        return True
    return False


class Sites(RuleBasedStateMachine):
    """The steps of the seeded histories, chosen and shrunk by Hypothesis."""

    node: type[MortalNode] = MortalNode

    def __init__(self) -> None:
        super().__init__()
        self.history = Crashes(0, node=self.node)

    @rule(kind=st.sampled_from(KINDS), seed=st.integers(0, 2**32))
    def step(self, kind: str, seed: int) -> None:
        self.history.clock_us += 1000
        self.history.dice.seed(seed)
        getattr(self.history, kind)()

    def teardown(self) -> None:
        self.history.come_together()


TestSites = Sites.TestCase
TestSites.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)


class SitesThatForgetTheirRows(Sites):
    node = StoresItsPositionAlone


def test_what_hypothesis_chooses_finds_a_fault() -> None:
    looking = settings(
        max_examples=300,
        stateful_step_count=60,
        deadline=None,
        phases=[Phase.generate],
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    with pytest.raises((DivergedError, AssertionError)):
        run_state_machine_as_test(SitesThatForgetTheirRows, settings=looking)

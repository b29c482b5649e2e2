"""Histories in which sites are seeded again and restored converge; and ones that go about it wrongly do not."""

import pytest

from tests.simulation.history import DivergedError
from tests.simulation.lives import Lives, SeededNode
from tests.simulation.world import Node

STEPS = 300


@pytest.mark.parametrize("first", [0, 40])
def test_histories_with_seeded_and_restored_sites_converge(first: int) -> None:
    done = [Lives(seed).play(STEPS).done for seed in range(first, first + 40)]
    for kind in ("reseed", "restore"):
        assert sum(counts[kind] for counts in done) > 10, "it was hardly ever so"


class IsSeededByAnybody(SeededNode):
    """Does not ask whether the donor has had what it had."""

    def may_be_seeded_from(self, donor: Node) -> bool:
        return donor.version <= self.version


class SettlesForTheOthers(SeededNode):
    """Takes the donor's tombstones for as far as they are there."""

    def seed_from(self, donor: Node) -> None:
        super().seed_from(donor)
        self.graves = dict(donor.graves)


class StandsAhead(SeededNode):
    """Reads its donor's log from behind the snapshot."""

    def seed_from(self, donor: Node) -> None:
        super().seed_from(donor)
        self.applied = {name: lsn + 1 for name, lsn in self.applied.items()}


def diverges(seed: int, twin: type[Node]) -> bool:
    try:
        Lives(seed, node=twin).play(STEPS)
    except (DivergedError, AssertionError):
        return True
    return False


@pytest.mark.parametrize("twin", [IsSeededByAnybody, SettlesForTheOthers, StandsAhead])
def test_a_site_that_begins_wrongly_is_found(twin: type[Node]) -> None:
    assert any(diverges(seed, twin) for seed in range(300))

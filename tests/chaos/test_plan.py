from itertools import pairwise

import pytest

from tests.chaos.plan import AHEAD_SECONDS, LANES, faults

SITES = ("a", "b", "c", "d")


@pytest.mark.parametrize("lane", LANES)
def test_a_seed_says_all_and_another_seed_says_otherwise(lane: str) -> None:
    once, again, other = (list(faults(seed, lane, SITES, 600)) for seed in (7, 7, 8))
    assert once == again != other


@pytest.mark.parametrize("lane", LANES)
def test_every_kind_comes_before_any_comes_again(lane: str) -> None:
    kinds = [fault.kind for fault in faults(1, lane, SITES, 3600)]
    size = len(LANES[lane])
    rounds = [kinds[start : start + size] for start in range(0, len(kinds) - size, size)]
    assert len(rounds) > 3
    assert all(sorted(one) == sorted(LANES[lane]) for one in rounds)
    assert any(one != other for one, other in pairwise(rounds)), "the deck is never shuffled"


@pytest.mark.parametrize("lane", LANES)
def test_all_ends_within_the_time_that_is_given(lane: str) -> None:
    planned = list(faults(2, lane, SITES, 300))
    assert sum(fault.rest_seconds + fault.lasting_seconds for fault in planned) <= 300
    assert all(fault.site != fault.peer for fault in planned)


def test_no_clock_goes_further_ahead_than_what_makes_its_edits_wait() -> None:
    clocks = [fault.clock_seconds for fault in faults(3, "ground", SITES, 36000)]
    assert min(clocks) < -60
    assert 0 < max(clocks) <= AHEAD_SECONDS < 60

"""What is said of an origin's clock (replication/apply/clock_offset.py)."""

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from replication.apply.clock_offset import KEPT_SECONDS, ClockOffset


@given(st.lists(st.tuples(st.floats(0, 90), st.floats(-60, 60)), min_size=1))
def test_the_greatest_difference_of_the_last_two_minutes_is_said(heard: list[tuple[float, float]]) -> None:
    clock = ClockOffset()
    times = list(accumulate(seconds for seconds, _ in heard))
    offsets = [offset for _, offset in heard]
    for number, now in enumerate(times):
        lately = [offsets[each] for each in range(number + 1) if times[each] >= now - KEPT_SECONDS]
        assert clock.hear(offsets[number], now) == max(lately)


def test_a_clock_that_was_set_right_is_right_within_two_minutes_though_the_line_idles() -> None:
    clock = ClockOffset()
    assert clock.hear(3600.0, 0) == 3600.0
    said = [clock.hear(-0.02, at) for at in range(2, 130, 2)]
    assert said[0] == 3600.0
    assert said[-1] == -0.02

"""Which lane a reader takes, and when it goes back."""

from replication.apply.lane import BEHIND_SECONDS, LaneChoice


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_thin_line_always_takes_packed() -> None:
    lane = LaneChoice(thin=True)
    assert lane.name == "packed"
    assert not lane.wants_change(0)


def test_where_nothing_is_heard_a_thin_line_reads_the_end_of_live_and_leaves_it_when_the_origin_goes_on() -> None:
    clock = Clock()
    lane = LaneChoice(thin=True, clock=clock)
    lane.silent()
    began, taken = clock.now, [str(lane.name)]
    for seconds, published, left in ((1, began - 3600, False), (4, began - 0.1, False), (60, began + 20, True)):
        clock.now += seconds
        assert lane.wants_change(clock.now - published) == left
        taken.append(lane.name)
    assert taken == ["live", "live", "live", "packed"]
    assert not lane.wants_change(3600)


def test_a_reader_behind_takes_packed_and_goes_back_by_itself() -> None:
    clock = Clock()
    lane = LaneChoice(thin=False, clock=clock)
    assert not lane.wants_change(1)
    taken = [str(lane.name)]
    for seconds, age in ((0, BEHIND_SECONDS + 1), (5, 0.1), (60, 0.1)):
        clock.now += seconds
        lane.wants_change(age)
        taken.append(lane.name)
    assert taken == ["live", "packed", "packed", "live"]


def test_a_line_that_stays_thin_is_tried_ever_more_rarely() -> None:
    clock = Clock()
    lane = LaneChoice(thin=False, clock=clock)
    waits = []
    for _ in range(4):
        assert lane.wants_change(BEHIND_SECONDS + 1)
        left = clock.now
        while not lane.wants_change(0.1):
            clock.now += 1
        waits.append(clock.now - left)
        clock.now += 1
    assert waits == sorted(waits)
    assert waits[-1] > 3 * waits[0]

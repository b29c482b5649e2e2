"""What is shown of the way to an origin's broker and back: an answer's time, or how long it is overdue."""

from collections.abc import Callable, Iterator

import pytest

from replication import metrics
from replication.apply.round_trip import EVERY_SECONDS, RoundTrip

ORIGIN = "far"


class Line:
    """A broker that answers when the test wants it to, and a clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asked: list[Callable[[], None]] = []
        self.round_trip = RoundTrip(ORIGIN, clock=lambda: self.now)

    def look_after(self, seconds: float) -> float | None:
        """Look again after a while; returns what is shown."""
        self.now += seconds
        self.round_trip.look(self.asked.append)
        return self.shown()

    def answer(self) -> float | None:
        self.asked.pop()()
        return self.shown()

    @staticmethod
    def shown() -> float | None:
        return metrics.APPLY.get_sample_value("kuroshio_link_round_trip_seconds", {"origin": ORIGIN})


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.round_trip.forget()


def test_an_answer_s_time_is_shown_until_the_next(line: Line) -> None:
    assert line.look_after(0) is None
    line.now += 0.3
    assert line.answer() == pytest.approx(0.3)
    assert line.look_after(EVERY_SECONDS - 1) == pytest.approx(0.3)
    assert not line.asked


def test_it_is_asked_again_after_a_while_and_not_before_the_answer(line: Line) -> None:
    line.look_after(0)
    line.look_after(100)
    assert len(line.asked) == 1
    line.answer()
    line.look_after(EVERY_SECONDS)
    assert len(line.asked) == 1


def test_an_answer_that_is_overdue_is_not_shown_as_the_last_one(line: Line) -> None:
    line.look_after(0)
    line.now += 0.3
    line.answer()
    line.look_after(EVERY_SECONDS)
    assert line.look_after(0.1) == pytest.approx(0.3)
    assert line.look_after(9.9) == pytest.approx(10)
    assert line.look_after(10) == pytest.approx(20)


def test_nothing_is_shown_of_a_line_that_is_not_connected(line: Line) -> None:
    line.look_after(0)
    line.answer()
    line.round_trip.forget()
    assert line.shown() is None
    assert line.look_after(0) is None
    assert len(line.asked) == 1, "it is asked at once when it is connected again"

"""By how much an origin's clock is ahead of ours, from what its messages say: pure."""

from collections import deque

KEPT_SECONDS = 120.0
"""So long a difference counts: that bridges what a thin line delays, and a clock that was set right is soon seen."""


class ClockOffset:
    """What travels takes time, so the greatest difference heard of late is nearest to the truth."""

    def __init__(self) -> None:
        self._heard: deque[tuple[float, float]] = deque()
        """(at, offset), each the greatest of what came since: the first is the greatest of all."""

    def hear(self, offset: float, at: float) -> float:
        """The greatest of the last two minutes, with this one; `at` is by a clock that only goes forward."""
        while self._heard and self._heard[-1][1] <= offset:
            self._heard.pop()
        self._heard.append((at, offset))
        while self._heard[0][0] < at - KEPT_SECONDS:
            self._heard.popleft()
        return self._heard[0][1]

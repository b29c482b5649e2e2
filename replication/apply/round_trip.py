"""How long the origin's broker takes to answer, asked now and then beside the reading."""

import math
import time
from collections.abc import Callable

from replication import metrics

EVERY_SECONDS = 15.0


class RoundTrip:
    """One question at a time: on a thin line the answer stands behind all that is on its way, perhaps for minutes.
    While it is overdue, what is shown is how long it has been waited for."""

    def __init__(self, origin: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._origin = origin
        self._clock = clock
        self._shown = 0.0
        self._asked_at = math.inf
        self._next = 0.0

    def look(self, ask: Callable[[Callable[[], None]], None]) -> None:
        """Ask if it is time to; ``ask`` calls what it is given once the answer is here."""
        now = self._clock()
        if now - self._asked_at > self._shown:
            self._show(now - self._asked_at)
        elif now >= self._next:
            self._asked_at, self._next = now, math.inf
            ask(self._answered)

    def forget(self) -> None:
        """Not connected any more: nothing is known."""
        self._shown, self._asked_at, self._next = 0.0, math.inf, 0.0
        metrics.ROUND_TRIP.remove(self._origin)

    def _answered(self) -> None:
        now = self._clock()
        self._show(now - self._asked_at)
        self._asked_at, self._next = math.inf, now + EVERY_SECONDS

    def _show(self, seconds: float) -> None:
        self._shown = seconds
        metrics.ROUND_TRIP.labels(self._origin).set(seconds)

"""Which lane a reader takes: pure but for the clock that it is given.

On a thin line always packed. Else live, until messages arrive late; then packed, until they arrive in time again. Each
return to live that did not last doubles the wait before the next. Where nothing is heard in packed, live is looked at:
an origin that ended has its last second there alone. A thin line leaves it for the first message that was published
since: what follows is in packed, too, be it days of work.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from replication.broker.names import Lane

BEHIND_SECONDS = 8.0
IN_TIME_SECONDS = 3.0
_FIRST_WAIT_SECONDS = 20.0
_LONGEST_WAIT_SECONDS = 1280.0


@dataclass(slots=True)
class LaneChoice:
    """The lane of one reader."""

    thin: bool
    clock: Callable[[], float] = time.monotonic
    name: Lane = "live"
    _since: float = 0.0
    _wait: float = _FIRST_WAIT_SECONDS

    def __post_init__(self) -> None:
        if self.thin:
            self.name = "packed"

    def silent(self) -> None:
        """Nothing was heard for long."""
        self.name, self._since = "live", self.clock()

    def wants_change(self, age_seconds: float) -> bool:
        """Look at the age of a message on arrival; True when the lane changed by it."""
        now = self.clock()
        if self.thin:
            returns = self.name == "live" and age_seconds < now - self._since
            self.name = "packed" if returns else self.name
            return returns
        if self.name == "live" and age_seconds > BEHIND_SECONDS:
            if now - self._since < 2 * self._wait:
                self._wait = min(self._wait * 2, _LONGEST_WAIT_SECONDS)
            self.name, self._since = "packed", now
            return True
        if self.name == "packed" and age_seconds < IN_TIME_SECONDS and now - self._since > self._wait:
            self.name, self._since = "live", now
            return True
        return False

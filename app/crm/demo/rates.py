"""How fast something goes, told while it goes."""

from collections.abc import Callable
from time import monotonic

Say = Callable[[str], None]

_EVERY_SECONDS = 2


class Rate:
    """Counts things and tells their number and rate now and then, and at the end."""

    def __init__(self, say: Say, things: str) -> None:
        self._say, self._things = say, things
        self._total = 0
        self._begun = self._told = monotonic()

    def count(self, more: int) -> None:
        self._total += more
        if more and monotonic() - self._told > _EVERY_SECONDS:
            self._tell()

    def end(self) -> int:
        self._tell()
        return self._total

    def _tell(self) -> None:
        self._told = monotonic()
        per_second = self._total / max(self._told - self._begun, 0.001)
        self._say(f"{self._total:,} {self._things} ({per_second:,.0f} a second)")

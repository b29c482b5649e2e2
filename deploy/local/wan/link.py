"""One directed link: what it may carry, how fast, how late, and what it has carried.

Nothing here touches a socket. Pacing is a virtual clock: `book` moves the moment at which the line is
free again, and nobody may read for the line before that moment.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Literal

Cut = Literal["", "silence", "reset"]

SLICE_SECONDS = 0.05  # the line is handed out in slices of this length, so that connections share it
UNSHAPED_READ_BYTES = 256 * 1024
UNSHAPED_ROOM_BYTES = 16 * 1024 * 1024
ROOM_SECONDS = 0.5  # of line, waiting in the relay beyond what the delay holds


@dataclass(frozen=True)
class Shape:
    """The settings of a link; no rate means as fast as the machine."""

    rate_bytes: float | None = None
    delay_seconds: float = 0.0
    cut: Cut = ""


@dataclass
class Counters:
    """What a link delivered (TCP payload) and how many connections used it."""

    bytes: int = 0
    connections: int = 0
    open: int = 0


class Link:
    """A directed link; `turn` is the queue of the connections that wait for a slice of it."""

    def __init__(self, sender: str, receiver: str) -> None:
        self.sender = sender
        self.receiver = receiver
        self.shape = Shape()
        self.counters = Counters()
        self.turn = asyncio.Lock()
        self._free_at = 0.0
        self._open = asyncio.Event()
        self._open.set()

    @property
    def name(self) -> str:
        return f"{self.sender}>{self.receiver}"

    def change(self, **settings: object) -> None:
        """Replace the named settings; takes effect with the next slice."""
        self.shape = replace(self.shape, **settings)  # type: ignore[arg-type]
        self._free_at = 0.0
        if self.shape.cut:
            self._open.clear()
        else:
            self._open.set()

    async def opened(self) -> None:
        """Wait until the link is not cut."""
        await self._open.wait()

    async def slice_bytes(self) -> int:
        """Wait until the line is open and free; say how much may be read for it now."""
        while self.shape.cut or self._free_at > _now():
            await self._open.wait()
            await asyncio.sleep(self._free_at - _now())
        if self.shape.rate_bytes is None:
            return UNSHAPED_READ_BYTES
        return max(1, int(self.shape.rate_bytes * SLICE_SECONDS))

    def book(self, size: int) -> float:
        """Take the line for `size` bytes; returns when their last byte comes out at the other end."""
        now = _now()
        if self.shape.rate_bytes is not None:
            # A timer that fired late is made up for, an idle line is not.
            start = max(self._free_at, now - SLICE_SECONDS / 2)
            self._free_at = start + size / self.shape.rate_bytes
            now = max(now, self._free_at)
        return now + self.shape.delay_seconds

    @property
    def room_bytes(self) -> int:
        """How much may wait in the relay: what the delay holds and half a second of line."""
        if self.shape.rate_bytes is None:
            return UNSHAPED_ROOM_BYTES
        return max(1, int(self.shape.rate_bytes * (self.shape.delay_seconds + ROOM_SECONDS)))


def _now() -> float:
    return asyncio.get_running_loop().time()

"""What a reader hands to the writer, and where."""

import queue
from collections.abc import Callable
from dataclasses import dataclass

from replication.wire.header import Header
from replication.wire.message import Section

INBOX_BYTES = 64 << 20
_MESSAGES = 16
_CELL_BYTES = 64
"""About what a cell takes in memory."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A verified message of one origin, where it was read, and how to say that it is applied, or cannot be."""

    header: Header
    sections: list[Section]
    body: bytes
    stream: str
    stream_offset: int
    base_lsn: int
    """Where a site that has nothing of the origin yet stands in this log."""
    done: Callable[[], None]
    again: Callable[[str], None]
    """Says what is missing before it, which is to be looked for."""
    attempt: int
    """How often its reader had begun by then: what comes behind it in the same attempt waits for what is missing."""

    @property
    def changes(self) -> int:
        """How many rows it changes."""
        return sum(len(section.moments) for section in self.sections)

    @property
    def weight(self) -> int:
        """About how many bytes it takes in memory, at least its share of the inbox: many small ones do not help."""
        cells = sum(len(section.moments) * (len(section.columns) + 2) for section in self.sections)
        return max(len(self.body) + _CELL_BYTES * cells, INBOX_BYTES // _MESSAGES)


class Inbox(queue.Queue[Incoming]):
    """What waits for the writer. Once it weighs its bound, readers wait: a large message is there beside no other, but
    for the one that each reader holds."""

    def __init__(self) -> None:
        super().__init__(INBOX_BYTES)
        self._weight = 0

    def _qsize(self) -> int:
        return self._weight

    def _put(self, item: Incoming) -> None:
        super()._put(item)
        self._weight += item.weight

    def _get(self) -> Incoming:
        item = super()._get()
        self._weight -= item.weight
        return item

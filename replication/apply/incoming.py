"""What a reader hands to the writer."""

from collections.abc import Callable
from dataclasses import dataclass

from replication.wire.header import Header
from replication.wire.message import Section


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

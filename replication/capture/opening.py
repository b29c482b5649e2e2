"""Before anything is read: is this the database that its log belongs to, and does the log still hold what it should?

1. The incarnation stands in the database and outside of it. Where they differ, or where the broker knows a position
   beyond this database's WAL, the database was restored: capture refuses to run (pitfall P1).
2. A lane that is missing, or ends before what the broker had confirmed, lost its tail: the log is rebuilt from the slot
   under a new incarnation. Peers see duplicates, never a gap (invariant 1).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from replication.broker.log import last_message
from replication.broker.names import DIRECTORIES, Lane, directory_name, stream_name
from replication.capture.fence import FencedError
from replication.core.progress import format_lsn
from replication.errors import DecodeError, StreamDown, StreamMissing
from replication.postgres import capturing
from replication.postgres.capturing import Identity
from replication.postgres.connect import Connection
from replication.wire.header import Header
from replication.wire.message import read_header

LANES: tuple[Lane, Lane] = ("live", "packed")
ReadHeader = Callable[[bytes], Header]


@dataclass(frozen=True, slots=True)
class Tails:
    """Where the lanes of the log in force end. ``intact`` is false where the log must be rebuilt."""

    live_lsn: int
    packed_lsn: int
    changes: int
    intact: bool
    announced: bool
    directory: str
    """The stream that announces this log."""


def check_identity(connection: Connection, own: Identity, kept_outside: Collection[str]) -> int:
    """Return the slot's confirmed position, or raise :class:`FencedError`."""
    if own.incarnation not in kept_outside:
        raise FencedError(
            f"the database says incarnation {own.incarnation}, the file beside the keys says"
            f" {' or '.join(kept_outside) or 'nothing'}: the database"
            " was restored or replaced; its site must be seeded again before it may send"
        )
    confirmed = capturing.slot_confirmed(connection)
    if confirmed is None:
        raise FencedError("the slot is gone: what was written since cannot be read from the WAL")
    newest = max(own.live_lsn, own.packed_lsn)
    if confirmed > newest:
        raise FencedError(
            f"the slot starts at {format_lsn(confirmed)}, the log ends at {format_lsn(newest)}:"
            " the slot is new, and what lies between was never read"
        )
    return confirmed


@dataclass(frozen=True, slots=True)
class Examiner:
    """Compares the last stored messages with our own record (pitfall P10).

    ``gives_up``: a stream that the broker could not serve for long is damaged, and counts as lost.
    """

    url: str
    verify: Callable[[str, bytes, bytes], None]
    gives_up: bool

    def examine(self, own: Identity) -> Tails:
        """Where the log in force ends, and whether that is where it should."""
        directory, head = self._directory(own)
        announced = head is not None and head.incarnation == own.incarnation
        heads = [self._tail(stream_name(own.name, own.incarnation, lane)) for lane in LANES]
        if None in heads:
            return Tails(
                own.live_lsn, own.packed_lsn, own.changes, intact=False, announced=announced, directory=directory
            )
        live, packed = (head for head in heads if head is not None)
        intact = live.to_lsn >= own.live_lsn and packed.to_lsn >= own.packed_lsn
        return Tails(live.to_lsn, packed.to_lsn, live.changes_total, intact, announced, directory)

    def _directory(self, own: Identity) -> tuple[str, Header | None]:
        """The first directory that the broker serves, or that is not there yet."""
        for number in range(DIRECTORIES):
            name = directory_name(own.name, number)
            try:
                return name, self._read(name)
            except StreamDown:
                if not self.gives_up:
                    raise
        raise FencedError(
            "every stream that could announce this site's log is damaged: the broker's data must be cleared"
        )

    def _tail(self, stream: str) -> Header | None:
        try:
            return self._read(stream)
        except StreamDown:
            if not self.gives_up:
                raise
            return None

    def _read(self, stream: str) -> Header | None:
        try:
            body = last_message(self.url, stream)
            return read_header(body, self.verify)[0] if body is not None else None
        except (StreamMissing, DecodeError):
            return None


def check_ahead(connection: Connection, tails: Tails) -> None:
    """A log ahead of the WAL was written by a database that is not this one any more."""
    newest = max(tails.live_lsn, tails.packed_lsn)
    if tails.intact and newest > capturing.flushed(connection):
        raise FencedError(
            f"the log holds changes up to {format_lsn(newest)}, beyond this database's WAL: the database was restored"
            " from a copy; its site must be seeded again before it may send"
        )

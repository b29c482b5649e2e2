"""Before anything is read: is this the database that its log belongs to, and does the log still hold what it should?

1. The incarnation stands in the database and outside of it. Where they differ, or where the broker knows a position
   beyond this database's WAL, the database was restored: capture refuses to run (pitfall P1).
2. A lane that is missing, or ends before what the broker had confirmed, lost its tail: the log is rebuilt from the slot
   under a new incarnation. Peers see duplicates, never a gap (invariant 1).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from replication.broker.log import last_message
from replication.broker.names import Lane, directory_name, stream_name
from replication.capture.fence import FencedError
from replication.core.progress import format_lsn
from replication.errors import DecodeError, StreamMissing
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


def examine(url: str, own: Identity, verify: Callable[[str, bytes, bytes], None]) -> Tails:
    """Compare the last stored messages with our own record (pitfall P10)."""
    directory = _tail(url, directory_name(own.name), verify)
    announced = directory is not None and directory.incarnation == own.incarnation
    heads = [_tail(url, stream_name(own.name, own.incarnation, lane), verify) for lane in LANES]
    if None in heads:
        return Tails(own.live_lsn, own.packed_lsn, own.changes, intact=False, announced=announced)
    live, packed = (head for head in heads if head is not None)
    intact = live.to_lsn >= own.live_lsn and packed.to_lsn >= own.packed_lsn
    return Tails(live.to_lsn, packed.to_lsn, live.changes_total, intact, announced)


def check_ahead(connection: Connection, tails: Tails) -> None:
    """A log ahead of the WAL was written by a database that is not this one any more."""
    newest = max(tails.live_lsn, tails.packed_lsn)
    if tails.intact and newest > capturing.flushed(connection):
        raise FencedError(
            f"the log holds changes up to {format_lsn(newest)}, beyond this database's WAL: the database was restored"
            " from a copy; its site must be seeded again before it may send"
        )


def _tail(url: str, stream: str, verify: Callable[[str, bytes, bytes], None]) -> Header | None:
    body = _last(url, stream)
    if body is None:
        return None
    try:
        return read_header(body, verify)[0]
    except DecodeError:
        return None


def _last(url: str, stream: str) -> bytes | None:
    try:
        return last_message(url, stream)
    except StreamMissing:
        return None

"""Before anything is read: is this the database that its log belongs to, and does the log still hold what it should?

1. The incarnation stands in the database and outside of it. Where they differ, or where the broker knows a position
   beyond this database's WAL, the database was restored: capture refuses to run (pitfall P1).
2. A lane that is missing, or ends before what the broker had confirmed, lost its tail: the log is rebuilt from the slot
   under a new incarnation. Peers see duplicates, never a gap (invariant 1).
3. Each view of this site's rows has lanes of its own (replication/core/views.py). One that is new begins where the slot
   does, which is behind nobody's position.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from replication.broker.log import last_message
from replication.broker.names import DIRECTORIES, Lane, directory_name, stream_name
from replication.capture.fence import FencedError, RestoredError
from replication.core.progress import format_lsn
from replication.definitions import audience_of
from replication.errors import DecodeError, StreamDown, StreamMissing
from replication.postgres import capturing
from replication.postgres.capturing import Identity
from replication.postgres.connect import Connection
from replication.wire.header import Header
from replication.wire.message import read_header
from sitecfg import Config

LANES: tuple[Lane, Lane] = ("live", "packed")
_REJOIN = "Next: python -m replication rejoin {}"
ReadHeader = Callable[[bytes], Header]


@dataclass(frozen=True, slots=True)
class Tail:
    """Where one view's lanes end."""

    live_lsn: int
    packed_lsn: int
    changes: int
    records: int = 0
    """How often this database had kept its record when the newest message was sent."""
    is_new: bool = False
    """Nothing is there yet: it opens with an announcement."""


@dataclass(frozen=True, slots=True)
class Tails:
    """Where the lanes of the log in force end, by view. ``intact`` is false where the log must be rebuilt."""

    views: Mapping[str, Tail]
    intact: bool
    announced: bool
    directory: str
    """The stream that announces this log."""

    @property
    def first(self) -> int:
        """Up to here all lanes have everything."""
        return min(min(tail.live_lsn, tail.packed_lsn) for tail in self.views.values())

    @property
    def last(self) -> int:
        """Behind this no lane has anything."""
        return max(max(tail.live_lsn, tail.packed_lsn) for tail in self.views.values())

    @property
    def records(self) -> int:
        """How often this database had kept its record when the newest message of all lanes was sent."""
        return max(tail.records for tail in self.views.values())


def rebuilt(own: Identity, views: Sequence[str], *, announced: bool, directory: str) -> Tails:
    """All lanes of a log that begins at this identity's positions."""
    tail = Tail(own.live_lsn, own.packed_lsn, own.changes, is_new=True)
    return Tails(dict.fromkeys(views, tail), intact=False, announced=announced, directory=directory)


def check_audience(connection: Connection, config: Config) -> None:
    """The triggers must know of who receives what as much as the rules say, or a row that moves would stay where it may
    not: raise :class:`FencedError` otherwise."""
    for schema, name, made in connection.execute("SELECT nspname, relname, rules FROM kuroshio.replicated_table"):
        rules = config.rules.table(f"{schema}.{name}")
        known: Any = made
        masked = {column for column, rule in known["columns"].items() if rule.get("masked")}
        told = {key: known[key] for key in ("deciding", "share") if key in known}
        if told != audience_of(rules) or masked != {column for column, rule in rules.columns.items() if rule.mask}:
            raise FencedError(
                f"the triggers of {schema}.{name} were made under other rules of who receives what:"
                f" run python -m replication add-table {schema}.{name}"
            )


def check_triggers(connection: Connection) -> None:
    """Every local change must be stamped, or it would stay here and nobody would know: raise :class:`FencedError`
    otherwise (pitfalls P14, P20)."""
    if unstamped := capturing.unstamped(connection):
        raise FencedError(
            f"stamp triggers of {', '.join(unstamped)} are missing or disabled: what was written since may bear no"
            " stamp, and stays at this site. Make them anew with python -m replication init, then compare with"
            " python -m replication verify"
        )


def check_identity(connection: Connection, own: Identity, kept_outside: Collection[str], fenced: str) -> int:
    """Return the slot's confirmed position, or raise :class:`FencedError`. ``fenced``: what is noted outside."""
    if fenced:
        raise RestoredError(fenced)
    if not capturing.has_node(connection):
        raise RestoredError(f"the database was restored from a dump. {_REJOIN.format(own.name)}")
    if own.incarnation not in kept_outside:
        raise FencedError(
            f"the database says incarnation {own.incarnation}, the file beside the keys says"
            f" {' or '.join(kept_outside) or 'nothing'}: the database was restored or replaced."
            f" {_REJOIN.format(own.name)}"
        )
    confirmed = capturing.slot_confirmed(connection)
    if confirmed is None:
        raise FencedError(
            f"the slot is gone: what was written since cannot be read from the WAL. {_REJOIN.format(own.name)}"
        )
    newest = max(own.live_lsn, own.packed_lsn)
    if confirmed > newest:
        raise FencedError(
            f"the slot starts at {format_lsn(confirmed)}, the log ends at {format_lsn(newest)}:"
            f" the slot is new, and what lies between was never read. {_REJOIN.format(own.name)}"
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

    def examine(self, own: Identity, views: Sequence[str], slot_lsn: int) -> Tails:
        """Where the log in force ends, and whether that is where it should. ``slot_lsn``: where a new view begins."""
        directory, head = self._directory(own)
        announced = head is not None and head.incarnation == own.incarnation
        tails: dict[str, Tail] = {}
        for view in views:
            tail = self._lanes(own, view)
            if tail is None and view not in own.views:
                tail = Tail(slot_lsn, slot_lsn, own.changes, is_new=True)
            if tail is None:
                return rebuilt(own, views, announced=announced, directory=directory)
            tails[view] = tail
        intact = all(
            tail.is_new or (tail.live_lsn >= own.live_lsn and tail.packed_lsn >= own.packed_lsn)
            for tail in tails.values()
        )
        return Tails(tails, intact, announced, directory)

    def _lanes(self, own: Identity, view: str) -> Tail | None:
        heads = [self._tail(stream_name(own.name, own.incarnation, lane, view)) for lane in LANES]
        live, packed = heads
        if live is None or packed is None:
            return None
        return Tail(live.to_lsn, packed.to_lsn, live.changes_total, max(live.records, packed.records))

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
            "every stream that could announce this site's log is damaged:"
            " follow 'A broker whose data are damaged' in deploy/RUNBOOK.md"
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


def check_ahead(connection: Connection, own: Identity, tails: Tails) -> None:
    """A log ahead of the WAL was written by a database that is not this one any more; so was one that knows of more
    records than this database has kept (a record is kept before any message that counts it)."""
    if not tails.intact:
        return
    if tails.last > capturing.flushed(connection):
        raise RestoredError(
            f"the log holds changes up to {format_lsn(tails.last)}, beyond this database's WAL: the database was"
            f" restored from a copy. {_REJOIN.format(own.name)}"
        )
    if tails.records > own.records:
        raise RestoredError(
            "the log was written on after this database's last record of it: the database was restored from a copy."
            f" {_REJOIN.format(own.name)}"
        )

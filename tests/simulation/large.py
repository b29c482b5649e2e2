"""A large transaction over a thin line, on virtual time (scenario 15): the real capture, wire and progress code, a line
that takes as long as its rate says and fails as its dice say, and a reader that goes on from what its database keeps.

What is simulated are the bytes and their order. What a database does with them: `tests/stack/proof/test_large.py`.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from replication.capture.deletes import Deletes
from replication.capture.gather import Gatherer
from replication.capture.lanes import Lanes, LaneState
from replication.capture.session import PART_CHANGES
from replication.capture.shapes import Shape, shape_of
from replication.core.progress import Step, step
from replication.core.stamps import moment
from replication.wire.header import Header
from replication.wire.message import decode
from replication.wire.pglogical import Begin, Commit, Insert, Relation

COLUMNS = ("id", "name", "phone", "credit", "tags", "note", "updated")
RELATION = Relation(1, "public", "customer", (*COLUMNS, "kuroshio"), (0,))
RATE_BYTES = 64_000 // 8
FRAMING_BYTES = 88
"""AMQP's own, for each message."""


def log(rows: int, seed: int) -> Iterator[bytes]:
    """The messages of a site's packed lane: one transaction of so many rows, and one of a single row after it."""
    dice, published = random.Random(seed), list[bytes]()

    def shape(_: Relation) -> Shape | None:
        return shape_of(RELATION, ("id",), COLUMNS, {})

    gatherer = Gatherer(shape, Deletes(lambda *_: None), PART_CHANGES)
    lanes = Lanes(
        LaneState("live", 0, 0),
        LaneState("packed", 0, 0),
        lambda lane, body, _: published.append(body) if lane == "packed" else None,
        lambda _: Header("taipei", "aa"),
        lambda _: b"s" * 64,
        0,
    )
    for xid, count in ((1, rows), (2, 1)):
        gatherer.feed(Begin(100 * xid, 0, xid))
        for number in range(count):
            gatherer.feed(_row(dice, number))
            assert gatherer.batch.changes <= PART_CHANGES, "capture holds more than a part"
            for batch in gatherer.take() if gatherer.parts else ():
                lanes.put(batch, number)
            yield from published
            published.clear()
        gatherer.feed(Commit(100 * xid, 100 * xid + 8, 5))
        for batch in gatherer.take():
            lanes.put(batch, rows)
        lanes.flush_packed(rows)
        yield from published
        published.clear()


def _row(dice: random.Random, number: int) -> Insert:
    base = moment(1_000_000, 1)
    values = (
        str(UUID(int=dice.getrandbits(128))),
        f"陳志明{number % 100_000}",
        f"+886-2-{dice.randrange(10_000_000)}",
        f"{number}.00",
        '{"src": "expo"}',
        "a note of so many letters",
        "2026-11-22 06:00:00+00",
        f"{{{base},0}}",
    )
    return Insert(RELATION, tuple(value.encode() for value in values))


@dataclass
class Line:
    """64 kbit/s; it fails every few minutes, and is down for a while."""

    dice: random.Random
    up_seconds: float = 300.0
    down_seconds: float = 60.0
    now: float = 0.0
    carried_bytes: int = 0
    failures: int = 0
    longest_seconds: float = 0.0
    _fails_at: float = 0.0

    def __post_init__(self) -> None:
        self._fails_at = self.dice.expovariate(1 / self.up_seconds)

    def carry(self, size: int) -> bool:
        """Carry a message whole; False where the line failed meanwhile, and what was under way is lost."""
        arrives = self.now + size / RATE_BYTES
        if arrives <= self._fails_at:
            self.longest_seconds = max(self.longest_seconds, arrives - self.now)
            self.now, self.carried_bytes = arrives, self.carried_bytes + size
            return True
        self.carried_bytes += int((self._fails_at - self.now) * RATE_BYTES)
        self.failures += 1
        self.now = self._fails_at + self.dice.uniform(1, self.down_seconds)
        self._fails_at = self.now + self.dice.expovariate(1 / self.up_seconds)
        return False


@dataclass
class Database:
    """What a site keeps of an origin, whatever becomes of its processes."""

    lsn: int = 0
    offset: int = 0
    staged: dict[tuple[int, int], bytes] = field(default_factory=dict)
    rows: int = 0
    seen: list[int] = field(default_factory=list)
    """How many rows were visible after each commit."""

    def take(self, offset: int, body: bytes) -> None:
        """Apply a message, or stage it; one transaction."""
        header = decode(body, lambda *_: None).header
        part = header.part
        if part is not None and not part.is_last:
            self.staged[part.xid, part.number] = body
        elif step(self.lsn, header.from_lsn, header.to_lsn) is Step.APPLY:
            numbers = range(part.number) if part else ()
            for one in (body, *(self.staged.pop((part.xid if part else 0, number)) for number in numbers)):
                self.rows += sum(len(section.moments) for section in decode(one, lambda *_: None).sections)
            self.lsn = header.to_lsn
        self.offset = offset + 1
        self.seen.append(self.rows)


@dataclass(frozen=True)
class Journey:
    """How it went."""

    database: Database
    line: Line
    sent_bytes: int
    """Of the log, each message once."""


def travel(rows: int, seed: int = 1, kept: type[Database] = Database) -> Journey:
    """Read the log over the line, from where the database says, until all is there. Some messages come twice."""
    dice = random.Random(f"large {seed}")
    line, database, sent = Line(dice), kept(), 0
    for offset, body in enumerate(log(rows, seed)):
        sent += len(body) + FRAMING_BYTES
        while database.offset <= offset:
            if line.carry(len(body) + FRAMING_BYTES):
                database.take(offset, body)
                if dice.random() < 0.02:
                    database.take(offset, body)
    return Journey(database, line, sent)

"""The table of the replication benchmarks and what is written to it, one row a transaction.

Rows are about 180 bytes as text; half of the changes insert a row, half update `phone` and `updated` of a random one.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

import psycopg
from psycopg import sql

Connection = psycopg.Connection[tuple[object, ...]]

TABLE = """create table {} (id uuid primary key default gen_random_uuid(), name text not null, phone text,
  credit numeric(12,2), tags jsonb, note text, updated timestamptz default now())"""
INSERT = "insert into {} (name, phone, credit, tags, note) values (%s, %s, %s, %s, %s) returning id"
UPDATE = "update {} set phone = %s, updated = now() where id = %s"
TAGS = '{"src": "expo"}'
NOTE = "展場名片掃描，待業務人員聯絡確認，中文備註一二三。"[:24]
POLL_SECONDS = 0.005


class Backlog:
    """Writes to one table, with values from a seed; every statement is a transaction of its own."""

    def __init__(self, connection: Connection, table: str, *, seed: int = 1) -> None:
        self._connection = connection
        self._insert = sql.SQL(INSERT).format(sql.Identifier(table))
        self._update = sql.SQL(UPDATE).format(sql.Identifier(table))
        self._ids = sql.SQL("select id from {} order by id").format(sql.Identifier(table))
        self._random = random.Random(seed)

    def write(self, changes: int) -> None:
        """As fast as it goes: half inserts, then half updates, pipelined, with a sync behind each."""
        self._connection.execute("set synchronous_commit = off")
        self._pipelined(self._insert, (self._row() for _ in range(changes // 2)))
        self.update(self.ids(), changes - changes // 2)

    def update(self, ids: Sequence[UUID], changes: int) -> None:
        """Update random rows among these."""
        self._connection.execute("set synchronous_commit = off")
        self._pipelined(self._update, ((self._phone(), self._random.choice(ids)) for _ in range(changes)))

    def update_each(self, ids: Sequence[UUID]) -> None:
        """Update each of these rows once."""
        self._pipelined(self._update, ((self._phone(), id_) for id_ in ids))

    def ids(self) -> list[UUID]:
        """The rows that are there."""
        return [row[0] for row in self._connection.execute(self._ids)]  # type: ignore[misc]

    def insert_one(self) -> UUID:
        """One insert, and wait for its commit."""
        row = self._connection.execute(self._insert, self._row(), prepare=True).fetchone()
        assert row is not None
        return row[0]  # type: ignore[return-value]

    def update_one(self, id_: UUID) -> str:
        """One update, and wait for its commit; returns the new phone."""
        phone = self._phone()
        self._connection.execute(self._update, (phone, id_), prepare=True)
        return phone

    def write_quietly(self, changes: int, per_second: float) -> None:
        """The same mix, spread over time, with an update of what was inserted after each insert."""
        for _ in self.quietly(changes, per_second):
            pass

    def quietly(self, changes: int, per_second: float) -> Iterator[int]:
        """The same, yielding after each change."""
        ids: list[UUID] = []
        for turn in paced(changes, per_second):
            if turn % 2:
                self.update_one(self._random.choice(ids))
            else:
                ids.append(self.insert_one())
            yield turn

    def _pipelined(self, statement: sql.Composed, rows: Iterator[tuple[object, ...]]) -> None:
        with self._connection.pipeline() as pipeline, self._connection.cursor() as cursor:
            for row in rows:
                cursor.execute(statement, row, prepare=True)
                pipeline.sync()

    def _row(self) -> tuple[object, ...]:
        name = f"陳志明{self._random.randrange(100_000)}"
        return name, self._phone(), self._random.randrange(1_000_000), TAGS, NOTE

    def _phone(self) -> str:
        return f"+886-2-{self._random.randrange(10_000_000)}"


def create(connection: Connection, table: str) -> None:
    """Make the table, as a user would."""
    connection.execute(sql.SQL(TABLE).format(sql.Identifier(table)))


def end_of_wal(connection: Connection) -> str:
    """The LSN behind all that is committed, which is on disk when this returns."""
    row = connection.execute("select pg_current_wal_insert_lsn()::text").fetchone()
    assert row is not None
    connection.execute("set synchronous_commit = on")
    connection.execute("select pg_current_xact_id()")
    return str(row[0])


def clocked(query: Callable[[], bool], seconds: float) -> float:
    """Ask every few milliseconds; the moment (`time.time`) at which the answer was yes. Raises TimeoutError."""
    deadline = time.time() + seconds
    while not query():
        if time.time() > deadline:
            raise TimeoutError(f"the backlog was not applied in {seconds:g} s")
        time.sleep(POLL_SECONDS)
    return time.time()


def paced(turns: int, per_second: float) -> Iterator[int]:
    """Yield 0, 1, … at a steady rate; a late turn is not made up for by a burst."""
    due = time.monotonic()
    for turn in range(turns):
        time.sleep(max(0.0, due - time.monotonic()))
        due = max(due + 1 / per_second, time.monotonic())
        yield turn

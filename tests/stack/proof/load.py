"""Writes at every site at once, and a ledger of what was acknowledged, to compare with in the end.

Of each cell only one site is the author, and it writes there ever greater numbers. So the value that must be there in
the end is known exactly: the last that was acknowledged, or one whose COMMIT was sent later and never answered.
"""

import random
import threading
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import psycopg

from tests.stack.proof.sites import Sites, until

TABLE = "load.item"
_PACE_SECONDS = 0.01
_STALL_SECONDS = 0.02
_DELETED = -1


def make_table(sites: Sites) -> None:
    """Make the table of the load at every site and put it under replication."""
    sites.everywhere(f"CREATE SCHEMA IF NOT EXISTS load; CREATE TABLE IF NOT EXISTS {TABLE} ({columns(sites.names)})")
    sites.add_tables(TABLE)


def columns(names: Sequence[str]) -> str:
    """Those of the table, where these sites write."""
    return ", ".join(["id uuid PRIMARY KEY, author text NOT NULL, note text", *(f"by_{name} bigint" for name in names)])


@dataclass
class Ledger:
    """What one site's user was told: (row, column) -> the numbers that may stand there in the end."""

    cells: dict[tuple[UUID, str], list[int]] = field(default_factory=dict)
    acknowledged: int = 0

    def attempt(self, cells: Sequence[tuple[UUID, str]], number: int) -> None:
        for cell in cells:
            self.cells.setdefault(cell, [0]).append(number)

    def acknowledge(self, cells: Sequence[tuple[UUID, str]], number: int) -> None:
        self.acknowledged += 1
        for cell in cells:
            self.cells[cell] = [number]


class Writer(threading.Thread):
    """Writes at one site until stopped; connects again when the site falls."""

    def __init__(self, sites: Sites, site: str, seed: int, stop: threading.Event, pace_seconds: float) -> None:
        super().__init__(name=f"{type(self).__name__} of {site}", daemon=True)
        self.site = site
        self._sites, self._stop_event, self._pace_seconds = sites, stop, pace_seconds
        self._random = random.Random(f"{seed} {self.name}")
        self._since: float | None = None
        self.failures = 0
        self.stalls: list[tuple[float, float]] = []
        """When (`time.monotonic`) a write that took long was first tried, and when one was done."""
        self.fault: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._stop_event.is_set():
                self._write_until_it_falls()
        except BaseException as fault:
            self.fault = fault
            raise

    def finish(self, seconds: float = 30) -> None:
        """Wait for the write that is under way; one that does not end is what fell, though nobody was told."""
        self.join(seconds)
        if self.is_alive():
            self.fault = TimeoutError(f"{self.name}: a write hangs")

    def _write_until_it_falls(self) -> None:
        try:
            with self._sites.connect(self.site) as connection:
                while not self._stop_event.wait(self._pace_seconds):
                    self._since = self._since or time.monotonic()
                    self._write(connection)
                    self._done()
        except psycopg.OperationalError:
            self.failures += 1
            self._stop_event.wait(0.1)

    def _done(self) -> None:
        began, now = self._since or 0.0, time.monotonic()
        self._since = None
        if now - began > _STALL_SECONDS:
            self.stalls.append((began, now))

    @abstractmethod
    def _write(self, connection: psycopg.Connection[Any]) -> None:
        """One write of what this one writes."""


class User(Writer):
    """Writes numbers of its own, and keeps a ledger of them."""

    def __init__(self, sites: Sites, site: str, seed: int, stop: threading.Event, pace_seconds: float) -> None:
        super().__init__(sites, site, seed, stop, pace_seconds)
        self._number = seed << 32
        self._own: list[UUID] = []
        self.ledger = Ledger()

    def _write(self, connection: psycopg.Connection[Any]) -> None:
        self._number += 1
        step = self._random.random()
        if step < 0.3 or not self._own:
            self._insert_rows(connection)
        elif step < 0.9:
            self._update_row(connection)
        else:
            self._write_and_delete(connection)

    def _insert_rows(self, connection: psycopg.Connection[Any]) -> None:
        """One to three rows in one transaction."""
        keys = [UUID(int=self._random.getrandbits(128)) for _ in range(self._random.randint(1, 3))]
        cells = [(key, f"by_{self.site}") for key in keys]
        self.ledger.attempt(cells, self._number)
        with connection.transaction():
            for key in keys:
                connection.execute(
                    f"INSERT INTO {TABLE} (id, author, note, by_{self.site}) VALUES (%s, %s, %s, %s)",
                    (key, self.site, "字" * self._random.randint(0, 40), self._number),
                )
        self.ledger.acknowledge(cells, self._number)
        self._own += keys

    def _update_row(self, connection: psycopg.Connection[Any]) -> None:
        """This site's column of some row, whoever inserted it."""
        probe = UUID(int=self._random.getrandbits(128))
        row = connection.execute(
            f"SELECT id FROM {TABLE} WHERE id > %s AND note IS DISTINCT FROM 'doomed' LIMIT 1", (probe,)
        ).fetchone()
        if row is None:
            return
        cells = [(row[0], f"by_{self.site}")]
        self.ledger.attempt(cells, self._number)
        done = connection.execute(f"UPDATE {TABLE} SET by_{self.site} = %s WHERE id = %s", (self._number, row[0]))
        if done.rowcount:
            self.ledger.acknowledge(cells, self._number)

    def _write_and_delete(self, connection: psycopg.Connection[Any]) -> None:
        """A row that nobody else may find: inserted as doomed and deleted by another transaction."""
        key = UUID(int=self._random.getrandbits(128))
        cells = [(key, "deleted")]
        self.ledger.attempt(cells, 1)
        connection.execute(f"INSERT INTO {TABLE} (id, author, note) VALUES (%s, %s, 'doomed')", (key, self.site))
        self.ledger.acknowledge(cells, 1)
        self.ledger.attempt(cells, _DELETED)
        connection.execute(f"DELETE FROM {TABLE} WHERE id = %s", (key,))
        self.ledger.acknowledge(cells, _DELETED)


class Load:
    """Users at all sites; the block's end stops them."""

    def __init__(self, sites: Sites, seed: int, pace_seconds: float = _PACE_SECONDS) -> None:
        self._sites = sites
        self._stop = threading.Event()
        self.users = {name: User(sites, name, seed, self._stop, pace_seconds) for name in sites.names}

    def __enter__(self) -> Self:
        for user in self.users.values():
            user.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stop.set()
        for user in self.users.values():
            user.finish()

    @property
    def acknowledged(self) -> dict[str, int]:
        return {name: user.ledger.acknowledged for name, user in self.users.items()}

    def require_kept(self, least: int, at: Sequence[str] = ()) -> None:
        """Every site's user wrote at least so much, and what was acknowledged stands at these sites; at all, if none is
        named."""
        for name, user in self.users.items():
            assert user.fault is None, f"the user of {name} died: {user.fault!r}"
            assert user.ledger.acknowledged >= least, (
                f"{name}: only {user.ledger.acknowledged} writes were acknowledged"
            )
        for site in at or self._sites.names:
            lost = list(self.lost(site))
            assert not lost, f"{site} lost {len(lost)} acknowledged cells, for example {lost[:5]}"

    def lost(self, site: str) -> Iterator[tuple[str, UUID, str, object, list[int]]]:
        """What this site does not show as it was acknowledged: author, row, column, what stands there, what may."""
        columns = [f"by_{name}" for name in self._sites.names]
        rows = {
            key: dict(zip(columns, numbers, strict=True))
            for key, *numbers in self._sites.run(site, f"SELECT id, {', '.join(columns)} FROM {TABLE}")
        }
        for name, user in self.users.items():
            for (key, column), allowed in user.ledger.cells.items():
                if column == "deleted":
                    found = 1 if key in rows else _DELETED
                    kept = found in allowed or (0 in allowed and found == _DELETED)
                else:
                    found = rows.get(key, {}).get(column) or 0
                    kept = found in allowed
                if not kept:
                    yield name, key, column, found, allowed


@contextmanager
def load(sites: Sites, seed: int, pace_seconds: float = _PACE_SECONDS) -> Iterator[Load]:
    """A load that has begun at every site."""
    with Load(sites, seed, pace_seconds) as running:
        until("every site's user writes", lambda: all(count > 2 for count in running.acknowledged.values()))
        yield running

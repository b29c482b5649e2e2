"""Writes at every site at once, and a ledger of what was acknowledged, to compare with in the end.

Of each cell only one site is the author, and it writes there ever greater numbers. So the value that must be there in
the end is known exactly: the last that was acknowledged, or one whose COMMIT was sent later and never answered.
"""

import random
import threading
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
    failures: int = 0

    def attempt(self, cells: Sequence[tuple[UUID, str]], number: int) -> None:
        for cell in cells:
            self.cells.setdefault(cell, [0]).append(number)

    def acknowledge(self, cells: Sequence[tuple[UUID, str]], number: int) -> None:
        self.acknowledged += 1
        for cell in cells:
            self.cells[cell] = [number]


class User(threading.Thread):
    """Writes at one site until stopped; connects again when the site falls."""

    def __init__(self, sites: Sites, site: str, seed: int, stop: threading.Event) -> None:
        super().__init__(name=f"user of {site}", daemon=True)
        self._sites, self._site, self._stop_event = sites, site, stop
        self._random = random.Random(f"{seed} {site}")
        self._number = seed << 32
        self._own: list[UUID] = []
        self.ledger = Ledger()
        self.fault: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._stop_event.is_set():
                self._write_until_it_falls()
        except BaseException as fault:
            self.fault = fault
            raise

    def _write_until_it_falls(self) -> None:
        try:
            with self._sites.connect(self._site) as connection:
                while not self._stop_event.wait(_PACE_SECONDS):
                    self._write(connection)
        except psycopg.OperationalError:
            self.ledger.failures += 1
            self._stop_event.wait(0.1)

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
        cells = [(key, f"by_{self._site}") for key in keys]
        self.ledger.attempt(cells, self._number)
        with connection.transaction():
            for key in keys:
                connection.execute(
                    f"INSERT INTO {TABLE} (id, author, note, by_{self._site}) VALUES (%s, %s, %s, %s)",
                    (key, self._site, "字" * self._random.randint(0, 40), self._number),
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
        cells = [(row[0], f"by_{self._site}")]
        self.ledger.attempt(cells, self._number)
        done = connection.execute(f"UPDATE {TABLE} SET by_{self._site} = %s WHERE id = %s", (self._number, row[0]))
        if done.rowcount:
            self.ledger.acknowledge(cells, self._number)

    def _write_and_delete(self, connection: psycopg.Connection[Any]) -> None:
        """A row that nobody else may find: inserted as doomed and deleted by another transaction."""
        key = UUID(int=self._random.getrandbits(128))
        cells = [(key, "deleted")]
        self.ledger.attempt(cells, 1)
        connection.execute(f"INSERT INTO {TABLE} (id, author, note) VALUES (%s, %s, 'doomed')", (key, self._site))
        self.ledger.acknowledge(cells, 1)
        self.ledger.attempt(cells, _DELETED)
        connection.execute(f"DELETE FROM {TABLE} WHERE id = %s", (key,))
        self.ledger.acknowledge(cells, _DELETED)


class Load:
    """Users at all sites; the block's end stops them."""

    def __init__(self, sites: Sites, seed: int) -> None:
        self._sites = sites
        self._stop = threading.Event()
        self.users = {name: User(sites, name, seed, self._stop) for name in sites.names}

    def __enter__(self) -> Self:
        for user in self.users.values():
            user.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stop.set()
        for user in self.users.values():
            user.join(30)

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
            lost = list(self._lost(site))
            assert not lost, f"{site} lost {len(lost)} acknowledged cells, for example {lost[:5]}"

    def _lost(self, site: str) -> Iterator[tuple[str, UUID, str, object, list[int]]]:
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
def load(sites: Sites, seed: int) -> Iterator[Load]:
    """A load that has begun at every site."""
    with Load(sites, seed) as running:
        until("every site's user writes", lambda: all(count > 2 for count in running.acknowledged.values()))
        yield running

"""Takes a snapshot of a site: its rows and what belongs to them, at one moment, as a file (``format``).

1. Everything is read in one REPEATABLE READ transaction, so rows, tombstones and the positions of all origins are of
   one moment; what of the donor's own log they hold says `settled_lsn`.
2. No more than a chunk is in memory. The file has its name when it is whole and on disk.
"""

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from psycopg import sql

from replication.audience import view_for
from replication.clock import now_us, to_datetime
from replication.core.progress import format_lsn
from replication.keys import require_home, signer
from replication.postgres import capturing, closing, snapshot
from replication.postgres.capturing import Identity
from replication.postgres.catalog import Table, describe
from replication.postgres.connect import Connection, connect
from replication.snapshot.format import CHUNK_BYTES, Header, Part, SnapshotWriter
from sitecfg import Config, Site

_PATIENCE_SECONDS = 60.0
Progress = Callable[[int], None]
"""Told how many rows are read."""


def take(config: Config, site: Site, path: Path, progress: Progress) -> int:
    """Write a snapshot of a site's database; return how many rows it holds."""
    require_home(site, "snapshot")
    sign = signer(site)
    partial = path.with_name(path.name + ".part")
    with connect(site.dsn(), name="snapshot", autocommit=True) as connection, _private(partial) as file:
        lsn = snapshot.settled_lsn(connection, _PATIENCE_SECONDS)
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        taking = _Taking(connection, capturing.identity(connection), lsn)
        writer = SnapshotWriter(file, taking.header(view_for(config.rules, site.name).name), sign)
        taking.write(writer, progress)
        rows = writer.finish()
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    return rows


def _private(path: Path) -> BinaryIO:
    """A file for this user alone: it holds every row."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")


def estimate(connection: Connection) -> int:
    """About how many rows a snapshot would hold."""
    row = connection.execute(
        "SELECT coalesce(sum(greatest(c.reltuples, s.n_live_tup)), 0)::bigint FROM kuroshio.replicated_table r"
        "  JOIN pg_namespace n USING (nspname) JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = r.relname"
        "  JOIN pg_stat_all_tables s ON s.relid = c.oid"
    ).fetchone()
    return int(str(row[0])) if row else 0


class _Taking:
    """One snapshot, within its transaction."""

    def __init__(self, connection: Connection, own: Identity, lsn: int) -> None:
        self._connection = connection
        self._own = own
        self._positions = snapshot.positions(connection, own, lsn)
        self._standing = snapshot.standing(connection)
        self._tables = [describe(connection, *name) for name in self._standing]
        self._newest = format_lsn(capturing.sample(connection)[1])
        """No commit that is visible lies behind this."""

    def header(self, view: str) -> Header:
        """What the snapshot says of itself."""
        own = (Part("kuroshio", name, columns, is_own=True) for name, columns in snapshot.OWN.items())
        taken_at = to_datetime(now_us()).isoformat(timespec="seconds")
        parts = (*map(self._part, self._tables), *own)
        claims = closing.claims(self._connection)
        return Header(self._own.name, secrets.token_hex(8), taken_at, view, self._positions, claims, parts)

    def _part(self, table: Table) -> Part:
        dropped, derived = self._standing[table.qualified]
        part = Part(table.schema, table.name, snapshot.columns_of(table))
        return replace(part, dropped=tuple(dropped), derived=derived)

    def write(self, writer: SnapshotWriter, progress: Progress) -> None:
        """All rows, table by table."""
        done = 0
        for number, lines in enumerate(self._all_lines()):
            for rows, text in _chunked(lines):
                writer.chunk(number, rows, text)
                done += rows
                progress(done)

    def _all_lines(self) -> Iterator[Iterable[bytes]]:
        for table in self._tables:
            yield snapshot.lines(self._connection, table.schema, table.name, _expressions(table))
        for name in snapshot.OWN:
            columns = snapshot.own_columns(name, self._own.name, self._newest)
            yield snapshot.lines(self._connection, "kuroshio", name, columns)


def _expressions(table: Table) -> Sequence[sql.Composable]:
    return [sql.Identifier(table.renamed.get(name, name)) for name in snapshot.columns_of(table)]


def _chunked(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Whole lines up to a chunk's size: how many, and their text."""
    held, size = list[bytes](), 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size >= CHUNK_BYTES:
            yield len(held), b"".join(held)
            held, size = [], 0
    if held:
        yield len(held), b"".join(held)

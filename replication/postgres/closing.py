"""A site that is closed: nobody writes there but who seeds it (life.sql)."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from replication.core.progress import parse_lsn
from replication.errors import TransientError
from replication.postgres.connect import Connection

Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Closed:
    """How far the seeding of a site is."""

    lsn: int
    """Behind this, nothing was written here; 0: nothing ever was."""
    token: str
    """Of the snapshot that is being loaded; empty: of none yet."""
    chunk: int


def closed(connection: Connection) -> Closed | None:
    """None where the site is open."""
    row: Any = connection.execute("SELECT lsn::text, token, chunk FROM kuroshio.closed").fetchone()
    return Closed(parse_lsn(row[0]), row[1], row[2]) if row else None


def require_open(connection: Connection) -> None:
    """Raise :class:`TransientError` where the site is being seeded: apply waits."""
    if closed(connection) is not None:
        raise TransientError("this site is being seeded: nothing is applied until that is done")


def close(connection: Connection) -> Closed:
    """Have apply end, and wait until every local write has ended; no other can begin. May run again.

    A write that is under way holds a lock that making the trigger waits for; one that has more to write fails then.
    Rows that are there when a snapshot is being loaded are of the snapshot: nobody wrote them here.
    """
    connection.execute("INSERT INTO kuroshio.closed DEFAULT VALUES ON CONFLICT DO NOTHING")
    names = replicated(connection)
    for name in names:
        connection.execute(_CLOSE.format(sql.Identifier(*name)))
    if any(_has_rows(connection, name) for name in [*names, ("kuroshio", "tombstone")]):
        connection.execute(
            "UPDATE kuroshio.closed SET lsn = pg_current_wal_insert_lsn() WHERE lsn = '0/0' AND token = ''"
        )
    found = closed(connection)
    assert found is not None
    return found


_CLOSE = sql.SQL(
    "CREATE OR REPLACE TRIGGER kuroshio_closed BEFORE INSERT OR UPDATE OR DELETE ON {} FOR EACH STATEMENT"
    " EXECUTE FUNCTION kuroshio.refuse_write()"
)


def reopen(connection: Connection) -> None:
    """Let everybody write again; belongs in the transaction that completes what the site was closed for."""
    connection.execute("DELETE FROM kuroshio.closed")


def clear(connection: Connection) -> None:
    """Take the triggers away, which have nothing to refuse any more. One that is in use stays, until the next time."""
    for name in replicated(connection):
        with suppress(psycopg.errors.LockNotAvailable), connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '2s'")
            connection.execute(sql.SQL("DROP TRIGGER IF EXISTS kuroshio_closed ON {}").format(sql.Identifier(*name)))


def record(connection: Connection, token: str, chunk: int) -> None:
    """So many chunks of this snapshot are loaded."""
    connection.execute("UPDATE kuroshio.closed SET token = %s, chunk = %s", (token, chunk))


def replicated(connection: Connection) -> list[Name]:
    """The tables under replication here."""
    rows = connection.execute("SELECT nspname, relname FROM kuroshio.replicated_table ORDER BY 1, 2").fetchall()
    return [(str(schema), str(name)) for schema, name in rows]


def known(connection: Connection) -> dict[str, int]:
    """Up to where each origin was applied here, and what this site has told the others of it: of both the greater."""
    rows = connection.execute(
        "SELECT origin, max(lsn)::text FROM (SELECT origin, lsn FROM kuroshio.position"
        " UNION ALL SELECT c.origin, c.lsn FROM kuroshio.claim c JOIN kuroshio.site s ON s.name = c.reader) AS had"
        " GROUP BY origin"
    ).fetchall()
    return {str(origin): parse_lsn(str(lsn)) for origin, lsn in rows}


def claims(connection: Connection) -> dict[str, dict[str, str]]:
    """Reader -> origin -> up to where it has told everybody that it has passed that."""
    found: dict[str, dict[str, str]] = {}
    for reader, origin, lsn in connection.execute("SELECT reader, origin, lsn::text FROM kuroshio.claim").fetchall():
        found.setdefault(str(reader), {})[str(origin)] = str(lsn)
    return found


def _has_rows(connection: Connection, name: Name) -> bool:
    query = sql.SQL("SELECT FROM {} LIMIT 1").format(sql.Identifier(*name))
    return connection.execute(query).fetchone() is not None

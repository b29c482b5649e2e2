"""The parts of large transactions, until their last one is here (kuroshio.staged_part).

1. A part says behind what its transaction lies: all of its stream that was committed before is at or below that LSN.
   So once an origin's transactions are applied beyond it, that one is among them, in whatever messages it came, and
   what is left of its parts is needless.
2. Only transactions count: a heartbeat may lie between that LSN and the commit.
3. A part of another log takes the place of the one before: an origin that was restored gives its transactions' numbers
   again. So does one that was cut elsewhere, under other limits: it is sent again with all that follow it.
"""

from collections.abc import Iterator, Mapping
from typing import cast

from replication.core.progress import format_lsn
from replication.postgres.connect import Connection
from replication.wire.header import Header


def stage(connection: Connection, header: Header, body: bytes) -> None:
    """Keep a part until the last one of its transaction is here."""
    assert header.part is not None
    connection.execute(
        "INSERT INTO kuroshio.staged_part AS p (origin, xid, part, body, incarnation, behind)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (origin, xid, part) DO UPDATE SET body = excluded.body,"
        " incarnation = excluded.incarnation, behind = excluded.behind"
        " WHERE p.incarnation <> excluded.incarnation OR p.body <> excluded.body",
        (
            header.origin,
            header.part.xid,
            header.part.number,
            body,
            header.incarnation,
            format_lsn(header.from_lsn),
        ),
    )


def count(connection: Connection, origin: str, xid: int, number: int) -> int:
    """How many of a transaction's parts before this one are here."""
    row = connection.execute(
        "SELECT count(*) FROM kuroshio.staged_part WHERE origin = %s AND xid = %s AND part < %s", (origin, xid, number)
    ).fetchone()
    return int(str(row[0])) if row else 0


def bodies(connection: Connection, origin: str, xid: int, number: int) -> Iterator[bytes]:
    """The parts before this one, one in memory at a time."""
    for part in range(number):
        row = connection.execute(
            "SELECT body FROM kuroshio.staged_part WHERE origin = %s AND xid = %s AND part = %s",
            (origin, xid, part),
            binary=True,
        ).fetchone()
        assert row is not None
        yield cast(bytes, row[0])


def drop(connection: Connection, origin: str, xid: int) -> None:
    """The transaction is applied."""
    connection.execute("DELETE FROM kuroshio.staged_part WHERE origin = %s AND xid = %s", (origin, xid))


def collect(connection: Connection, applied: Mapping[str, int]) -> None:
    """Drop what is left of transactions that were applied otherwise. ``applied``: origin -> where the last of its
    transactions that are applied here ends."""
    connection.execute(
        "DELETE FROM kuroshio.staged_part p USING unnest(%s::text[], %s::pg_lsn[]) AS applied(origin, lsn)"
        " WHERE p.origin = applied.origin AND p.behind < applied.lsn",
        (list(applied), [format_lsn(lsn) for lsn in applied.values()]),
    )

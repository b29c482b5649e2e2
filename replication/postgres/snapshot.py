"""What a snapshot holds of a database, and how it is put into another one.

*The consistent point.* A position of the donor's own log is wanted at or before which everything is in the snapshot.
The WAL position is read first; a transaction whose commit lies at or before it may not be visible yet, but has its
number by then. So the snapshot is taken when every transaction with a number below one that was given afterwards has
ended.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from replication.core.progress import format_lsn, parse_lsn
from replication.errors import TransientError
from replication.postgres.capturing import Identity
from replication.postgres.catalog import CLAIMS, PARTS, STAMPS, Table
from replication.postgres.connect import Connection

_POLL_SECONDS = 0.05

OWN: Mapping[str, tuple[str, ...]] = {
    "rules_version": ("version", "adopted_at"),
    "tombstone": (
        *("nspname", "relname", "key", "life", "deleted", "saw", "stamps", "cells", "parts", "hidden", "referential"),
        "passed",
    ),
    "claim": ("reader", "origin", "lsn"),
    "passage": ("site", "from_lsn", "to_lsn", "low", "high", "applied", "changes"),
    "conflict": (
        *("nspname", "relname", "key", "column_name", "winner", "loser", "type", "resolution", "rule", "winner_value"),
        *("loser_value", "recorded_at"),
    ),
    "parked": (
        *("nspname", "relname", "key", "moment", "op", "origin", "lsn", "change", "reason", "detail", "tries"),
        "parked_at",
    ),
    "withheld": ("nspname", "relname", "key", "life", "stamps", "value"),
}
"""Of replication's own tables what belongs to the rows: a tombstone is settled and stable at its own site alone."""
_ADDED = {
    "rules_version": "DO NOTHING",
    "claim": "(reader, origin) DO UPDATE SET lsn = greatest(claim.lsn, excluded.lsn)",
    "conflict": "DO NOTHING",
}
"""Those of them whose rows come beside those that are there, and what becomes of what both have."""


def settled_lsn(connection: Connection, timeout_seconds: float) -> int:
    """A WAL position at or before which everything that was committed is visible to whoever looks from now on."""
    lsn = _one(connection, "SELECT pg_current_wal_insert_lsn()::text")
    ours = int(_one(connection, "SELECT pg_current_xact_id()::text"))
    deadline = time.monotonic() + timeout_seconds
    while int(_one(connection, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text")) < ours:
        if time.monotonic() > deadline:
            raise TransientError(
                f"a transaction that began before the snapshot has not ended for {timeout_seconds:.0f} s:"
                f" {_oldest(connection)}: end it, and take the snapshot again"
            )
        time.sleep(_POLL_SECONDS)
    return parse_lsn(lsn)


def _oldest(connection: Connection) -> str:
    row = connection.execute(
        "SELECT format('process %s of %s (%s), since %s', pid, usename, application_name, xact_start)"
        "  FROM pg_stat_activity WHERE backend_xid IS NOT NULL ORDER BY xact_start LIMIT 1"
    ).fetchone()
    return str(row[0]) if row else "a prepared one (pg_prepared_xacts)"


def positions(connection: Connection, own: Identity, lsn: int) -> dict[str, dict[str, Any]]:
    """What the snapshot's rows hold of each origin: its row of kuroshio.position; the donor's own ends at ``lsn``."""
    rows: list[Any] = connection.execute(
        "SELECT origin, to_jsonb(p) - 'stream' - 'stream_offset' FROM kuroshio.position p"
    ).fetchall()
    row: Any = connection.execute(
        "SELECT jsonb_build_object('origin', %s::text, 'incarnation', %s::text, 'lsn', %s::text, 'xid', 0,"
        " 'changes', changes, 'commit_time', commit_time, 'published_at', now(), 'rules', rules) FROM kuroshio.capture",
        (own.name, own.incarnation, format_lsn(lsn)),
    ).fetchone()
    return {str(origin): dict(position) for origin, position in rows} | {own.name: dict(row[0])}


def standing(connection: Connection) -> dict[tuple[str, str], tuple[list[str], Any]]:
    """Of each replicated table the columns that were dropped, and under which rules what it shows was derived."""
    rows: list[Any] = connection.execute(
        "SELECT nspname, relname, dropped, derived FROM kuroshio.replicated_table ORDER BY 1, 2"
    ).fetchall()
    return {(schema, name): (list(dropped), derived) for schema, name, dropped, derived in rows}


def columns_of(table: Table) -> tuple[str, ...]:
    """What travels of a table, by first names, and replication's own columns."""
    own = tuple(name for name in (STAMPS, PARTS, CLAIMS) if name in table.own_columns)
    return (*(column.name for column in table.columns), *own)


def lines(connection: Connection, schema: str, name: str, columns: Sequence[sql.Composable]) -> Iterator[bytes]:
    """The rows of a table as lines of COPY text."""
    query = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(
        sql.SQL(", ").join(columns), sql.Identifier(schema, name)
    )
    with connection.cursor().copy(query) as copy:
        for line in copy:
            yield bytes(line)


def own_columns(table: str, own: str, lsn: str) -> list[sql.Composable]:
    """The expressions that read one of replication's own tables. A delete of the donor's that is not settled has no LSN
    yet: it is at or before the one given."""
    columns: list[sql.Composable] = [sql.Identifier(name) for name in OWN[table]]
    if table == "tombstone":
        columns[OWN[table].index("passed")] = sql.SQL(
            "CASE passed->{own} WHEN 'null' THEN jsonb_set(passed, ARRAY[{own}], to_jsonb({lsn}::text)) ELSE passed END"
        ).format(own=sql.Literal(own), lsn=sql.Literal(lsn))
    return columns


def empty(connection: Connection, names: Sequence[tuple[str, str]]) -> None:
    """Take away the rows of these tables, and what belongs to them. For a writer (`applying.become_writer`): nothing of
    it is captured, and no trigger looks."""
    for name in [*names, *(("kuroshio", own) for own in OWN if own not in _ADDED)]:
        connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(*name)))
    for own in ("staged_part", "settled", "audience", "leaving", "burial"):
        connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier("kuroshio", own)))


def put(connection: Connection, schema: str, name: str, columns: Sequence[str], text: bytes) -> None:
    """Write lines of COPY text into a replicated table."""
    _copy(connection, sql.Identifier(schema, name), columns, text)


def put_own(connection: Connection, name: str, columns: Sequence[str], text: bytes) -> None:
    """Write lines into one of replication's own tables."""
    target = sql.Identifier("kuroshio", name)
    if name not in _ADDED:
        _copy(connection, target, columns, text)
        return
    connection.execute(sql.SQL("CREATE TEMP TABLE _seeded (LIKE {} INCLUDING DEFAULTS) ON COMMIT DROP").format(target))
    _copy(connection, sql.Identifier("_seeded"), columns, text)
    connection.execute(sql.SQL(f"INSERT INTO {{}} SELECT * FROM _seeded ON CONFLICT {_ADDED[name]}").format(target))
    connection.execute("DROP TABLE _seeded")


def _copy(connection: Connection, target: sql.Composable, columns: Sequence[str], text: bytes) -> None:
    query = sql.SQL("COPY {} ({}) FROM STDIN").format(target, sql.SQL(", ").join(map(sql.Identifier, columns)))
    with connection.cursor().copy(query) as copy:
        copy.write(text)


_PLACE = """
INSERT INTO kuroshio.position
SELECT * FROM jsonb_populate_record(NULL::kuroshio.position,
    '{"stream": "", "stream_offset": 0, "rules_from": "0/0"}'::jsonb || %s)"""


def stand(connection: Connection, known: Mapping[str, Mapping[str, Any]]) -> None:
    """Stand where the donor stood: read every origin's log from there."""
    connection.execute("DELETE FROM kuroshio.position")
    for position in known.values():
        connection.execute(_PLACE, (Jsonb(dict(position)),))


def inherit(connection: Connection, name: tuple[str, str], dropped: Sequence[str], derived: object) -> None:
    """What the donor knows of a table besides its rows."""
    connection.execute(
        "UPDATE kuroshio.replicated_table SET derived = %s, dropped = ARRAY("
        "SELECT DISTINCT unnest(dropped || %s::text[]) ORDER BY 1) WHERE nspname = %s AND relname = %s",
        (Jsonb(derived), list(dropped), *name),
    )


def _one(connection: Connection, query: str) -> str:
    row = connection.execute(query).fetchone()
    assert row is not None
    return str(row[0])

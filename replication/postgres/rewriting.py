"""Which rows a site wrote to since some moment, by their stamps, and a slot made anew: for a site whose log, or whose
database, was lost."""

import time
from collections.abc import Iterator

import psycopg
from psycopg import sql

from replication.core.changes import Key
from replication.core.stamps import SITE_MASK
from replication.postgres.capturing import Identity
from replication.postgres.catalog import PARTS, Constant, Table
from replication.postgres.connect import Connection
from replication.postgres.install import SLOT

SLICE_ROWS = 1000
_DROP_SECONDS = 20.0
_SEGMENTS_AT_ONCE = 4096
"""64 GB of WAL positions: more than a site writes between its backup and its fall."""


def written(connection: Connection, table: Table, number: int, since_us: int) -> Iterator[list[Key]]:
    """The keys of the rows, deleted and hidden ones too, that bear a stamp of a site's number from ``since_us`` on.

    A cell that is made of parts bears the newest stamp of all of them, so the parts are looked at, too. Not every part
    says when or by whom it was written (`may_be_written`): of these there may be rows too many.
    """
    texts = sql.SQL(", ").join(sql.SQL("{}::text").format(table.here(name)) for name in table.key)
    query = sql.SQL(
        "SELECT ARRAY[{key}] FROM {table} WHERE {row} OR {parts} UNION SELECT key FROM kuroshio.tombstone"
        " WHERE nspname = {schema} AND relname = {name} AND ({deleted} OR {image} OR {image_parts})"
    ).format(
        key=texts,
        table=table.quoted,
        schema=Constant(table.schema),
        name=Constant(table.name),
        row=_bears(sql.SQL("kuroshio"), number, since_us),
        image=_bears(sql.SQL("stamps"), number, since_us),
        parts=_has_part(sql.SQL(PARTS), number, since_us) if PARTS in table.own_columns else sql.SQL("false"),
        image_parts=_has_part(sql.SQL("parts"), number, since_us),
        deleted=_bears(sql.SQL("ARRAY[deleted]"), number, since_us),
    )
    keys = [tuple(str(part).encode() for part in key) for (key,) in connection.execute(query, ()).fetchall()]  # type: ignore[attr-defined]
    for start in range(0, len(keys), SLICE_ROWS):
        yield keys[start : start + SLICE_ROWS]


def _bears(stamps: sql.Composable, number: int, since_us: int) -> sql.Composed:
    """The numbers between moments are keys and epochs: too small to be taken for one of these."""
    return sql.SQL("EXISTS (SELECT FROM unnest({}) AS m WHERE {})").format(stamps, _is_own(number, since_us))


def _has_part(parts: sql.Composable, number: int, since_us: int) -> sql.Composed:
    """`may_be_written`, of the parts as a row keeps them."""
    return sql.SQL(
        "EXISTS (SELECT FROM jsonb_each({}) AS cell, jsonb_each(cell.value) AS part,"
        " LATERAL (SELECT (part.value->>0)::bigint AS m) AS placed"
        " WHERE left(part.key, 1) = '-' OR part.key = {} OR {})"
    ).format(parts, Constant(str(number)), _is_own(number, since_us))


def _is_own(number: int, since_us: int) -> sql.Composed:
    return sql.SQL("(m & {} = {} AND m >> 10 >= {})").format(Constant(SITE_MASK), Constant(number), Constant(since_us))


def renew_slot(connection: Connection, beyond_lsn: int) -> int | None:
    """Make the slot anew behind a WAL position; return where it begins, or None where the WAL is too far from there."""
    for _ in range(_SEGMENTS_AT_ONCE):
        row = connection.execute("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").fetchone()
        assert row is not None
        if int(str(row[0])) > beyond_lsn:
            break
        connection.execute("SELECT pg_switch_wal()")
        connection.execute("SELECT pg_logical_emit_message(true, 'kuroshio', '')")
    else:
        return None
    _drop_slot(connection)
    row = connection.execute(
        "SELECT (lsn - '0/0')::bigint FROM pg_create_logical_replication_slot(%s, 'pglogical_output')", (SLOT,)
    ).fetchone()
    assert row is not None
    return int(str(row[0]))


def _drop_slot(connection: Connection) -> None:
    """Capture holds the slot, and takes it again where it can."""
    deadline = time.monotonic() + _DROP_SECONDS
    while True:
        connection.execute(
            "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = %s AND active", (SLOT,)
        )
        try:
            connection.execute(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", (SLOT,)
            )
        except psycopg.errors.ObjectInUse:
            if time.monotonic() > deadline:
                raise
        else:
            return


def follow(connection: Connection, own: Identity, lsn: int) -> None:
    """At a peer: read this site's log from its new beginning. All that was before is here, or comes otherwise."""
    connection.execute(
        "UPDATE kuroshio.position SET incarnation = %s, lsn = '0/0'::pg_lsn + %s::numeric, xid = 0,"
        " published_at = NULL, complete_at = NULL, stream = '', stream_offset = 0 WHERE origin = %s",
        (own.incarnation, lsn, own.name),
    )

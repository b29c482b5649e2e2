"""The requests that apply obeys (``kuroshio.request``), and what it does with them in the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row

from replication.core.changes import Key
from replication.postgres.catalog import Table, type_name
from replication.postgres.connect import Connection
from replication.postgres.states import one_row


@dataclass(frozen=True, slots=True)
class Order:
    """One request that nobody has obeyed yet."""

    id: UUID
    action: str
    parked: int | None
    nspname: str | None
    relname: str | None
    cells: Mapping[str, str | None] | None


def unanswered(connection: Connection) -> list[Order]:
    """The requests that wait, in the order in which they were made."""
    with connection.cursor(row_factory=class_row(Order)) as cursor:
        return cursor.execute(
            "SELECT id, action, parked, nspname, relname, cells FROM kuroshio.request WHERE outcome = ''"
            " ORDER BY asked_at, id LIMIT 100",
            prepare=True,
        ).fetchall()


def answer(connection: Connection, order: Order, outcome: str, detail: str = "") -> None:
    """What came of it."""
    connection.execute(
        "UPDATE kuroshio.request SET outcome = %s, detail = %s, answered_at = clock_timestamp() WHERE id = %s",
        (outcome, detail, order.id),
    )


def standing(connection: Connection, order: Order) -> Sequence[Any] | None:
    """Why the change of an order waits, and the detail; None: it does not."""
    return connection.execute("SELECT reason, detail FROM kuroshio.parked WHERE id = %s", (order.parked,)).fetchone()


_DISCARD = """
WITH gone AS (DELETE FROM kuroshio.parked WHERE id = %s RETURNING change, reason)
UPDATE kuroshio.request r SET change = gone.change, reason = gone.reason FROM gone WHERE r.id = %s"""


def discard(connection: Connection, order: Order) -> bool:
    """Take a change off the list; the record keeps it as it was at last. False: it is not there."""
    return connection.execute(_DISCARD, (order.parked, order.id)).rowcount > 0


def restore(connection: Connection, order: Order) -> bool:
    """Have the change that a record keeps wait again. False: the row was withdrawn since, and the record blanked."""
    written = connection.execute(
        "INSERT INTO kuroshio.parked (nspname, relname, key, moment, op, origin, lsn, change, reason)"
        " SELECT nspname, relname, key, moment, op, origin, lsn, change, reason FROM kuroshio.request WHERE id = %s"
        " AND change IS NOT NULL ON CONFLICT ON CONSTRAINT parked_pkey DO UPDATE SET reason = excluded.reason",
        (order.id,),
    )
    return written.rowcount > 0


def write_row(connection: Connection, table: Table, key: Key, cells: Mapping[str, str | None], *, new: bool) -> None:
    """Write some cells of a row, or a new row, as any user of the database does."""
    keys = [part.decode() for part in key]
    if new:
        held = dict(zip(table.key, keys, strict=True)) | dict(cells)
        query = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
            table.quoted,
            sql.SQL(", ").join(map(table.here, held)),
            sql.SQL(", ").join(_value(table, name) for name in held),
        )
        connection.execute(query, list(held.values()))
    else:
        sets = sql.SQL(", ").join(sql.SQL("{} = {}").format(table.here(name), _value(table, name)) for name in cells)
        query = sql.SQL("UPDATE {} t SET {} WHERE {}").format(table.quoted, sets, one_row(table))
        connection.execute(query, [*cells.values(), *keys])


def _value(table: Table, column: str) -> sql.Composed:
    return sql.SQL("%s::text::{}").format(type_name(table.types[column]))

"""The changes that wait at a site, or were set aside there, and what operators did. Read-only."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from replication.postgres.catalog import Quoted
from replication.status.conflicts import time_of
from replication.status.reading import rows

REASONS = ("refused", "parent", "insert", "schema", "clock")
"""Why a change waits; the first is what a person must look at."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One change that waits."""

    id: int
    """By which it is named while it waits; one that is parked anew has another."""
    table: str
    """``schema.table``."""
    key: tuple[str, ...]
    op: str
    """*I*, *U* or *D*."""
    origin: str
    written_at: datetime
    """By the origin's clock."""
    reason: str
    detail: str
    tries: int
    parked_at: datetime
    cells: Mapping[str, str | None]
    """What it would write, in PostgreSQL's text form."""


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that an operator asked for, and what came of it."""

    id: UUID
    asked_at: datetime
    by: str
    action: str
    parked: int | None
    """The change that it was about, while it waited."""
    table: str
    """Empty where it was about no change."""
    key: tuple[str, ...]
    subject: str
    why: str
    columns: tuple[str, ...]
    """What an edit wrote; the values are people's data, and stand in the row."""
    outcome: str
    """Empty: it is not obeyed yet, apply does not run."""
    detail: str
    answered_at: datetime | None


_WAITING = """
SELECT id, nspname, relname, key, op::text, origin, moment, reason, detail, tries, parked_at,
       (change->'cells')::text AS cells
  FROM kuroshio.parked
 WHERE (%(reason)s = '' OR reason = %(reason)s) AND (%(only)s::bigint IS NULL OR id = %(only)s)
   AND (%(before)s::bigint IS NULL OR id < %(before)s)
 ORDER BY id DESC LIMIT %(most)s"""

_COUNTED = "SELECT reason, count(*) AS number FROM kuroshio.parked GROUP BY reason"

_DEEDS = """
SELECT id, asked_at, asked_by, action, parked, nspname, relname, key, subject, why, outcome, detail,
       answered_at, array(SELECT jsonb_object_keys(cells) ORDER BY 1) AS columns
  FROM kuroshio.request
 WHERE %(at)s::timestamptz IS NULL OR (asked_at, id) < (%(at)s, %(id)s)
 ORDER BY asked_at DESC, id DESC LIMIT %(most)s"""

_KEY = """
SELECT r.key_columns, array(SELECT a.attname::text FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attname = ANY (%s)) AS columns
  FROM kuroshio.replicated_table r
  JOIN pg_namespace n ON n.nspname = r.nspname
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = r.relname
 WHERE (r.nspname, r.relname) = (%s, %s) AND has_table_privilege(c.oid, 'SELECT')"""


def waiting(
    connection: psycopg.Connection[Any], *, reason: str = "", before: int | None = None, most: int = 25
) -> list[Waiting]:
    """The changes that wait, the newest first; of one reason; behind the one of this id."""
    parameters = {"reason": reason, "only": None, "before": before, "most": most}
    return [_waiting(row) for row in rows(connection, "parked", _WAITING, parameters)]


def waiting_one(connection: psycopg.Connection[Any], parked: int) -> Waiting | None:
    """One of them; None where it does not wait any more."""
    parameters = {"reason": "", "only": parked, "before": None, "most": 1}
    return next((_waiting(row) for row in rows(connection, "parked", _WAITING, parameters)), None)


def count_waiting(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """How many wait, by reason."""
    return {row["reason"]: row["number"] for row in rows(connection, "parked", _COUNTED)}


def values_here(connection: psycopg.Connection[Any], change: Waiting) -> Mapping[str, str | None] | None:
    """What the row holds here of the columns that the change would write, in text form; None where it is not here, or
    may not be read."""
    schema, _, name = change.table.partition(".")
    found = rows(connection, "replicated_table", _KEY, (list(change.cells), schema, name))
    if not found:
        return None
    columns, keys = found[0]["columns"], found[0]["key_columns"]
    query = sql.SQL("SELECT {} FROM {} AS t WHERE {}").format(
        sql.SQL(", ").join(sql.SQL("{}::text").format(Quoted("t", column)) for column in [*columns, keys[0]]),
        Quoted(schema, name),
        sql.SQL(" AND ").join(sql.SQL("{}::text = %s").format(Quoted("t", column)) for column in keys),
    )
    held = rows(connection, "replicated_table", query, list(change.key))
    return {column: held[0][column] for column in columns} if held else None


def deeds(
    connection: psycopg.Connection[Any], *, after: tuple[datetime, UUID] | None = None, most: int = 25
) -> list[Deed]:
    """What operators did, the newest first; behind this place in the list."""
    at, place = after or (None, None)
    return [_deed(row) for row in rows(connection, "request", _DEEDS, {"at": at, "id": place, "most": most})]


def _waiting(row: Mapping[str, Any]) -> Waiting:
    named = {name: row[name] for name in ("id", "op", "origin", "reason", "detail", "tries", "parked_at")}
    table, cells = f"{row['nspname']}.{row['relname']}", json.loads(row["cells"])
    return Waiting(table=table, key=tuple(row["key"]), written_at=time_of(row["moment"]), cells=cells, **named)


def _deed(row: Mapping[str, Any]) -> Deed:
    names = ("id", "asked_at", "action", "parked", "subject", "why", "outcome", "detail", "answered_at")
    return Deed(
        by=row["asked_by"],
        table=f"{row['nspname']}.{row['relname']}" if row["relname"] else "",
        key=tuple(row["key"] or ()),
        columns=tuple(row["columns"]),
        **{name: row[name] for name in names},
    )

"""What rows hold that their table does not show: rows that were deleted or wait out of sight, and values that another
row holds. Read-only, of this site's database alone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from replication.postgres.catalog import CLAIMS


@dataclass(frozen=True, slots=True)
class Unshown:
    """What one row holds, by its columns' first names, in PostgreSQL's text form."""

    cells: Mapping[str, str | None]
    """Of a row that is not in its table, its last image; else the values that it claims and does not show."""
    hidden: str = ""
    """Why a row that exists is not in its table: ``unique``, ``parent``, ``fallen``; empty for one that was deleted, or
    is there."""


def out_of_table(connection: psycopg.Connection[Any], table: str, keys: Sequence[str]) -> dict[str, Unshown]:
    """The last images of rows with a key of one column, those of them that are kept here."""
    schema, _, name = table.partition(".")
    rows = connection.execute(
        "SELECT g.key[1], g.cells::text, g.hidden FROM unnest(%s::text[]) AS k JOIN kuroshio.tombstone g"
        " ON g.nspname = %s AND g.relname = %s AND g.key = ARRAY[k] WHERE g.stamps IS NOT NULL",
        (list(keys), schema, name),
    ).fetchall()
    return {key: Unshown(json.loads(cells), hidden) for key, cells, hidden in rows}


def claims_of(connection: psycopg.Connection[Any], table: str, key: str, values: Sequence[Any]) -> dict[str, Unshown]:
    """Those of these rows that show a substitute in the place of what they claim; ``key`` is the key column."""
    query = sql.SQL(
        "SELECT t.{0}::text, c.claims::text FROM {1} AS t CROSS JOIN LATERAL (SELECT to_jsonb(t) -> {2}) AS c(claims)"
        " WHERE t.{0} = ANY (%s) AND c.claims <> 'null'"
    )
    column = sql.Identifier(key)
    rows = connection.execute(
        query.format(column, sql.Identifier(*table.split(".", 1)), sql.Literal(CLAIMS)), (list(values),)
    ).fetchall()
    return {found: Unshown(json.loads(cells)) for found, cells in rows}

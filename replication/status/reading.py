"""Reads rows by name, from a schema that may be older than this program."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row


def rows(
    connection: psycopg.Connection[Any],
    table: str,
    query: str | sql.Composed,
    parameters: Mapping[str, Any] | Sequence[Any] = (),
) -> list[dict[str, Any]]:
    """The rows of a query that reads a table of ours; none where the table is not there yet."""
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute("SELECT to_regclass(%s) IS NOT NULL AS is_there", (f"kuroshio.{table}",)).fetchall()
        return cursor.execute(query, parameters).fetchall() if found[0]["is_there"] else []

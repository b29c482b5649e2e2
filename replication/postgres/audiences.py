"""What this site keeps of a change of the rules of who receives what: the audiences of each table, and up to where it
has sent what the one in force lets others have (kuroshio.audience, residency.sql)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from replication.core.changes import Key
from replication.postgres.catalog import Constant, Table, type_name
from replication.postgres.connect import Connection

Name = tuple[str, str]

PASSES = ("hidden", "shown", "hidden")
"""What is sent in turn: what shows or hides between two slices is met before or after (replication/core/claims.py)."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One table's audiences, oldest first, and the place up to which its rows are sent."""

    audiences: list[Any]
    passed: int = 0
    """Of the passes."""
    reached: Sequence[str] | None = None
    """The key of the last row of this pass that is sent; None: it has not begun."""


def kept(connection: Connection) -> dict[Name, Kept]:
    """What is kept of each table that is under replication."""
    rows: list[Any] = connection.execute(
        "SELECT nspname, relname, coalesce(audiences, '[]'), coalesce(passed, 0), reached"
        "  FROM kuroshio.replicated_table LEFT JOIN kuroshio.audience USING (nspname, relname)"
    ).fetchall()
    return {(schema, name): Kept(*rest) for schema, name, *rest in rows}


def keep(connection: Connection, table: Name, found: Kept) -> None:
    """Keep a table's audiences, and the place."""
    connection.execute(
        "INSERT INTO kuroshio.audience (nspname, relname, audiences, passed, reached) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (nspname, relname) DO UPDATE SET audiences = excluded.audiences, passed = excluded.passed,"
        " reached = excluded.reached",
        (*table, Jsonb(found.audiences), found.passed, None if found.reached is None else list(found.reached)),
    )


def is_all_here(connection: Connection, table: Name, version: str, peers: Sequence[str]) -> bool:
    """Is what was written under other rules here? Every site writes under this version, and none older waits."""
    row = connection.execute(
        "SELECT (SELECT rules = %(version)s FROM kuroshio.capture)"
        "   AND cardinality(%(peers)s::text[]) = (SELECT count(*) FROM kuroshio.position"
        "        WHERE origin = ANY (%(peers)s::text[]) AND rules = %(version)s)"
        "   AND NOT EXISTS (SELECT FROM kuroshio.parked k JOIN kuroshio.position p USING (origin)"
        "        WHERE k.nspname = %(schema)s AND k.relname = %(name)s AND k.lsn <= p.rules_from)",
        {"version": version, "peers": list(peers), "schema": table[0], "name": table[1]},
    ).fetchone()
    return row == (True,)


def next_keys(connection: Connection, table: Table, place: Kept, limit: int) -> list[Key]:
    """The keys of the next rows of a pass."""
    compose = _next_shown if PASSES[place.passed] == "shown" else _next_hidden
    rows: list[Any] = connection.execute(*compose(table, place.reached, limit)).fetchall()
    return [tuple(part.encode() for part in key) for (key,) in rows]


def _next_shown(table: Table, reached: Sequence[str] | None, limit: int) -> tuple[sql.Composed, list[object]]:
    keys = [table.here(name) for name in table.key]
    text = sql.SQL(", ").join(sql.SQL("{}::text").format(name) for name in keys)
    order = sql.SQL(", ").join(keys)
    behind: sql.Composable = sql.SQL("true")
    if reached is not None:
        values = sql.SQL(", ").join(sql.SQL("%s::text::{}").format(type_name(table.types[name])) for name in table.key)
        behind = sql.SQL("({}) > ({})").format(order, values)
    query = sql.SQL("SELECT ARRAY[{}] FROM {} WHERE {} ORDER BY {} LIMIT %s").format(text, table.quoted, behind, order)
    return query, [*(reached or ()), limit]


def _next_hidden(table: Table, reached: Sequence[str] | None, limit: int) -> tuple[sql.Composed, list[object]]:
    query = sql.SQL(
        "SELECT key FROM kuroshio.tombstone WHERE nspname = {} AND relname = {} AND key > %s::text[]"
        " ORDER BY key LIMIT %s"
    ).format(Constant(table.schema), Constant(table.name))
    return query, [list(reached or ()), limit]


def waits_for_capture(connection: Connection) -> bool:
    """Is what was noted for others not in this site's stream yet?"""
    return connection.execute("SELECT FROM kuroshio.moved LIMIT 1").fetchone() is not None

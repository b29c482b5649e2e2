"""Finds, notes and deletes the rows that are to be deleted for good (replication/core/burial.py, burials.sql)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql

from replication.core.stamps import SITE_MASK
from replication.postgres.catalog import Constant, ForeignKey, Table
from replication.postgres.claims import said, wanted_by
from replication.postgres.connect import Connection
from replication.postgres.parameters import TextArray
from replication.postgres.rows import key_text, source
from replication.postgres.tombstones import CLAIMED, NOTHING_WAITS, Needs, passed

Key = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Due:
    """What is due: known here as it is since before a time, of which every site has heard, and one site's task."""

    before: datetime
    own: int
    sites: Collection[int]
    names: Collection[str]
    most: int

    def parameters(self) -> dict[str, Any]:
        return {
            "before": self.before,
            "own": self.own,
            "first": min(self.sites),
            "numbers": sorted(self.sites),
            "sites": list(self.names),
            "most": self.most,
        }


_TASK = f"""t.known_since < %(before)s AND %(own)s = CASE WHEN t.deleted & {SITE_MASK} = ANY (%(numbers)s)
     THEN t.deleted & {SITE_MASK} ELSE %(first)s END"""

_WHOLE = """NOT EXISTS (
    SELECT FROM kuroshio.withheld w WHERE (w.nspname, w.relname, w.key) = (t.nspname, t.relname, t.key))"""
"""Not kept out of this site's table while it may live elsewhere."""

_NOTE_CONTESTED = f"""
INSERT INTO kuroshio.burial (nspname, relname, key, xid)
SELECT nspname, relname, key, xid FROM kuroshio.tombstone t
 WHERE t.nspname = %(schema)s AND t.relname = %(name)s AND {_TASK} AND t.hidden = '' AND t.stamps IS NOT NULL
   AND kuroshio.is_contested(t.deleted, t.saw, t.stamps) AND {CLAIMED} AND {NOTHING_WAITS} AND {_WHOLE}
 LIMIT %(most)s"""


def forget(connection: Connection) -> None:
    """Nothing is due: what was noted may not be so any more."""
    connection.execute("DELETE FROM kuroshio.burial")


def note_contested(connection: Connection, table: Table, due: Due) -> None:
    """Note the deleted rows of a table that another rule might bring back."""
    connection.execute(_NOTE_CONTESTED, {**due.parameters(), "schema": table.schema, "name": table.name})


def fallen_for_good(
    connection: Connection, child: Table, reference: ForeignKey, parent: Table, holds: Needs, due: Due
) -> list[Key]:
    """The rows that fell with a parent of ``reference`` which nothing may bring back. ``holds``: what would."""
    query = sql.SQL(
        "SELECT f.key FROM kuroshio.tombstone t JOIN kuroshio.tombstone f ON f.nspname = {} AND f.relname = {}"
        " AND f.hidden = 'fallen' AND f.known_since < %(before)s AND {} WHERE {} AND {} AND {} LIMIT %(most)s"
    ).format(
        Constant(child.schema),
        Constant(child.name),
        said(child, sql.SQL("f.cells"), sql.SQL("f.key"), reference.columns, wanted_by(reference, parent)),
        passed(holds),
        sql.SQL(_TASK),
        sql.SQL(NOTHING_WAITS),
    )
    parameters = {**due.parameters(), "schema": parent.schema, "name": parent.name}
    rows: list[Any] = connection.execute(query, parameters).fetchall()
    return sorted({tuple(part.encode() for part in key) for (key,) in rows})


def note(connection: Connection, table: Table, keys: Sequence[Key]) -> None:
    """Note rows that fell."""
    columns = [TextArray(list(column)) for column in zip(*keys, strict=True)]
    query = sql.SQL(
        "INSERT INTO kuroshio.burial (nspname, relname, key, xid) SELECT g.nspname, g.relname, g.key, g.xid FROM {}"
        " JOIN kuroshio.tombstone g ON g.nspname = {} AND g.relname = {} AND g.key = {} AND g.hidden = 'fallen'"
        " ON CONFLICT DO NOTHING"
    ).format(source(table.key), Constant(table.schema), Constant(table.name), key_text(table))
    connection.execute(query, columns)


def bury(connection: Connection) -> int:
    """Delete what is noted; returns how many rows that were. For capture: what it writes travels."""
    row = connection.execute("SELECT kuroshio.bury()").fetchone()
    return int(str(row[0])) if row else 0

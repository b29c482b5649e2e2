"""How a tombstone goes: settled, stable, dropped (pitfalls P3 and P5).

A row that is inserted again starts its next life where its tombstone still is, and its first one where it is not. So a
site that has dropped a tombstone must not meet one that has not, or the new row would lose against the old delete.

1. *Settled*: every transaction that was under way when the tombstone was written has ended, so no insert that had
   looked for it too early (it waited for the row's delete) can still come. Such a row is found and decided on first.
2. A *claim* is a row of a site's own WAL, so it travels in its stream: up to this LSN of that origin everything is
   applied here and settled, and nothing waits (parked). It is made when somebody needs it. Whatever the site wrote
   before it had settled a delete lies before the claim that covers the delete; who has applied the claim has applied
   all that.
3. *Stable*: this site has every site's claim that covers the tombstone's deletes. Nothing older than it can arrive.
4. *Dropped*: every site claims what this site had applied when the tombstone was stable here. So it is stable at every
   site by that site's own claims, whether that site has noticed or not.
5. A change of the tombstone's life or an earlier one that meets a stable tombstone was written where it is dropped
   already: the tombstone gives way (`give_way`).
6. What another rule of delete, unique or parent might bring back is not forgotten, since sites change their rules at
   different times: neither a *contested* row, to which something was written that the deletes had not seen, nor one
   that a row refers to which is hidden, shows NULL for it, or is itself not forgotten yet. The first, and who fell with
   a parent, are buried after a stated time (replication/core/burial.py), and go then. A parent for which a row shows
   NULL stays as long as that row. (Two dead rows that refer to each other are kept for good.)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from replication.core.progress import format_lsn
from replication.core.stamps import LIFE
from replication.postgres.catalog import Quoted, Table
from replication.postgres.connect import Connection

Key = tuple[bytes, ...]
Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Horizon:
    """A moment of this database: what was applied, and who was at work."""

    snapshot: str
    own: str
    """This site."""
    applied: Mapping[str, str]
    """Origin -> LSN, this site's own among them."""
    at_work: frozenset[str]


_PREPARED = "prepared"
_AT_WORK = f"""
SELECT l.virtualxid FROM pg_locks l JOIN pg_stat_activity a USING (pid)
 WHERE l.locktype = 'virtualxid' AND a.datname = current_database() AND pid <> pg_backend_pid()
 UNION ALL SELECT '{_PREPARED}' FROM pg_prepared_xacts WHERE database = current_database()"""


def at_work(connection: Connection) -> frozenset[str]:
    """The transactions that are under way, also those that have written nothing yet."""
    return frozenset(str(row[0]) for row in connection.execute(_AT_WORK).fetchall())


def horizon(connection: Connection) -> Horizon | None:
    """Now; None where nobody waits for this site to settle anything. Who is at work is asked last: who comes later sees
    what is committed."""
    row: Any = connection.execute(
        "SELECT pg_current_snapshot()::text, pg_current_wal_insert_lsn()::text, s.name,"
        " (SELECT jsonb_object_agg(p.origin, least(p.lsn, '0/0'::pg_lsn"
        "    + (SELECT min((k.change->>'from_lsn')::numeric) FROM kuroshio.parked k WHERE k.origin = p.origin)))"
        "    FROM kuroshio.position p)"
        " FROM kuroshio.site s WHERE EXISTS (SELECT FROM kuroshio.tombstone WHERE NOT settled)"
        " OR EXISTS (SELECT FROM kuroshio.settled WHERE lsn < wanted)"
        " OR EXISTS (SELECT FROM kuroshio.claim c LEFT JOIN kuroshio.settled d USING (origin)"
        "            WHERE c.reader <> s.name AND c.lsn > coalesce(d.lsn, '0/0'))"
    ).fetchone()
    if row is None:
        return None
    snapshot, own_lsn, own, applied = row
    # Whoever prepares to commit in two phases leaves the list, and is at work still.
    return Horizon(snapshot, own, {**(applied or {}), own: own_lsn}, at_work(connection) | {_PREPARED})


def unsettled(connection: Connection, seen: Horizon) -> list[tuple[str, str]]:
    """The tables with tombstones that were committed by then and are to be settled."""
    rows = connection.execute(
        "SELECT DISTINCT nspname, relname FROM kuroshio.tombstone"
        " WHERE NOT settled AND pg_visible_in_snapshot(xid, %s::pg_snapshot)",
        (seen.snapshot,),
    ).fetchall()
    return [(str(schema), str(name)) for schema, name in rows]


def ghosts(connection: Connection, table: Table, seen: Horizon) -> list[Key]:
    """Keys of rows that live beside an unsettled tombstone which says that they do not."""
    query = sql.SQL(
        "SELECT g.key FROM kuroshio.tombstone g JOIN {} t ON g.key = ARRAY[{}] WHERE g.nspname = %s AND g.relname = %s"
        " AND NOT g.settled AND pg_visible_in_snapshot(g.xid, %s::pg_snapshot)"
        " AND g.stamps IS NOT NULL AND greatest(kuroshio.get(t.kuroshio, {}), 1) <= g.life"
    ).format(
        table.quoted,
        sql.SQL(", ").join(sql.SQL("t.{}::text").format(Quoted(name)) for name in table.key),
        sql.Literal(LIFE),
    )
    rows: list[Any] = connection.execute(query, (*table.qualified, seen.snapshot)).fetchall()
    return [tuple(part.encode() for part in key) for (key,) in rows]


def keys(connection: Connection, table: Table, after: Sequence[str], limit: int) -> list[Key]:
    """The next rows of a table that have a tombstone, in key order; ``after`` is empty for the first."""
    rows: list[Any] = connection.execute(
        "SELECT key FROM kuroshio.tombstone WHERE nspname = %s AND relname = %s AND key > %s::text[]"
        " ORDER BY key LIMIT %s",
        (*table.qualified, list(after), limit),
    ).fetchall()
    return [tuple(part.encode() for part in key) for (key,) in rows]


def settle(connection: Connection, seen: Horizon) -> None:
    """Note that everybody who was at work then has ended. A delete made here gets its LSN: it is surely committed."""
    connection.execute(
        "WITH done AS (UPDATE kuroshio.tombstone SET settled = true,"
        "  passed = CASE passed->%(own)s WHEN 'null' THEN jsonb_set(passed, ARRAY[%(own)s], %(lsn)s) ELSE passed END"
        "  WHERE NOT settled AND pg_visible_in_snapshot(xid, %(snapshot)s::pg_snapshot) RETURNING passed),"
        " needs AS (SELECT key AS origin, max(value::pg_lsn) AS lsn FROM done, jsonb_each_text(passed) GROUP BY 1)"
        " INSERT INTO kuroshio.settled AS d (origin, lsn, wanted)"
        " SELECT origin, a.lsn, coalesce(needs.lsn, '0/0')"
        "   FROM unnest(%(origins)s::text[], %(lsns)s::pg_lsn[]) AS a(origin, lsn) LEFT JOIN needs USING (origin)"
        " ON CONFLICT (origin) DO UPDATE SET lsn = excluded.lsn, wanted = greatest(d.wanted, excluded.wanted)",
        {
            "own": seen.own,
            "lsn": Jsonb(seen.applied[seen.own]),
            "snapshot": seen.snapshot,
            "origins": list(seen.applied),
            "lsns": list(seen.applied.values()),
        },
    )


def claim(connection: Connection) -> None:
    """Tell the others as much as the tombstones here need, and as anybody else claims: so who asks is answered, and an
    answer asks for nothing (replication/core/tombstones.py, due). For capture: what it writes travels."""
    connection.execute(
        "INSERT INTO kuroshio.claim AS mine (reader, origin, lsn) SELECT * FROM ("
        " SELECT s.name AS reader, d.origin, least(d.lsn, greatest(d.wanted, (SELECT max(c.lsn)"
        "        FROM kuroshio.claim c WHERE c.origin = d.origin AND c.reader <> s.name))) AS lsn"
        "   FROM kuroshio.settled d, kuroshio.site s) AS due"
        " WHERE due.lsn > '0/0' AND NOT EXISTS (SELECT FROM kuroshio.claim c"
        "  WHERE c.reader = due.reader AND c.origin = due.origin AND c.lsn >= due.lsn)"
        " ON CONFLICT (reader, origin) DO UPDATE SET lsn = excluded.lsn"
    )


def save_claims(connection: Connection, reader: str, claims: Mapping[str, int]) -> None:
    """Keep what a peer claims; belongs in the transaction of its message."""
    connection.execute(
        "INSERT INTO kuroshio.claim AS c (reader, origin, lsn) SELECT %s, * FROM unnest(%s::text[], %s::pg_lsn[])"
        " ON CONFLICT (reader, origin) DO UPDATE SET lsn = greatest(c.lsn, excluded.lsn)",
        (reader, list(claims), [format_lsn(lsn) for lsn in claims.values()]),
    )


Needs = Sequence[sql.Composable]
"""Conditions on a tombstone ``t`` of one table under which a row needs it (`claims.needs`)."""

CLAIMED = """t.settled AND NOT EXISTS (
    SELECT FROM jsonb_each_text(t.passed) AS need(origin, lsn) CROSS JOIN unnest(%(sites)s::text[]) AS site
     WHERE NOT EXISTS (SELECT FROM kuroshio.claim c
                        WHERE c.reader = site AND c.origin = need.origin AND c.lsn >= need.lsn::pg_lsn))"""
"""Every site's claims cover what the tombstone ``t`` needs."""
# A bare one, beside a row that outlived it, stays with that row. A hidden row is none.
_PASSED = f"""t.hidden = '' AND t.stamps IS NOT NULL
   AND NOT kuroshio.is_contested(t.deleted, t.saw, t.stamps) AND {CLAIMED}"""
NOTHING_WAITS = """NOT EXISTS (
    SELECT FROM kuroshio.parked k WHERE (k.nspname, k.relname, k.key) = (t.nspname, t.relname, t.key))"""
"""What is parked here is not applied here, whatever else is."""


def collect(connection: Connection, sites: Sequence[str], needs: Callable[[Name], Needs]) -> None:
    """Drop what every site holds for stable; note what is stable here."""
    names: list[Any] = connection.execute("SELECT DISTINCT nspname, relname FROM kuroshio.tombstone").fetchall()
    for schema, name in names:
        parameters = {"schema": schema, "name": name, "sites": list(sites)}
        gone = passed(needs((schema, name)))
        connection.execute(sql.SQL("DELETE FROM kuroshio.tombstone t WHERE t.stable AND {}").format(gone), parameters)
        connection.execute(_STABLE.format(gone, sql.SQL(NOTHING_WAITS)), parameters)


_STABLE = sql.SQL("""
WITH here AS (SELECT origin, lsn FROM kuroshio.position
              UNION ALL SELECT name, pg_current_wal_insert_lsn() FROM kuroshio.site),
     stable AS (UPDATE kuroshio.tombstone t
                   SET stable = true, passed = (SELECT jsonb_object_agg(origin, lsn) FROM here)
                 WHERE NOT t.stable AND {} AND {} RETURNING true)
INSERT INTO kuroshio.settled AS d (origin, wanted) SELECT origin, lsn FROM here WHERE EXISTS (SELECT FROM stable)
    ON CONFLICT (origin) DO UPDATE SET wanted = greatest(d.wanted, excluded.wanted)""")


def passed(needs: Needs) -> sql.Composed:
    """What is passed of one table, and needed by no row."""
    of_table = sql.SQL("t.nspname = %(schema)s AND t.relname = %(name)s AND ") + sql.SQL(_PASSED)
    return sql.SQL(" AND ").join([of_table, *(sql.SQL("NOT {}").format(need) for need in needs)])


def give_way(connection: Connection, table: Table, key: Key, sites: Sequence[str], needs: Needs) -> bool:
    """Drop a row's tombstone if it is stable, because something newer is there that did not know it."""
    gone = connection.execute(
        sql.SQL(
            "DELETE FROM kuroshio.tombstone t WHERE t.nspname = %(schema)s AND t.relname = %(name)s AND t.key = %(key)s"
            " AND (t.stable OR {} AND {}) RETURNING true"
        ).format(passed(needs), sql.SQL(NOTHING_WAITS)),
        {"schema": table.schema, "name": table.name, "key": [part.decode() for part in key], "sites": list(sites)},
    )
    return gone.fetchone() is not None

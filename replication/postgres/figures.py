"""What a site's database holds on its replication besides the links, read as it is; every time in seconds since 1970 by
the database's own clock."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.rows import dict_row

from replication.errors import UsageError
from replication.postgres.connect import Connection
from replication.postgres.install import SLOT

Row = Mapping[str, Any]

_SITE = """
SELECT extract(epoch FROM clock_timestamp())::float8 AS now, s.name, s.incarnation,
       (pg_current_wal_insert_lsn() - '0/0')::float8 AS wal_bytes,
       c.state, c.rules, c.views, c.changes,
       extract(epoch FROM c.updated_at)::float8 AS recorded, extract(epoch FROM c.commit_time)::float8 AS commit_time,
       coalesce(o.active, false) AS slot_active, coalesce(o.wal_status = 'lost', true) AS slot_lost,
       (pg_current_wal_insert_lsn() - o.restart_lsn)::float8 AS slot_retained_bytes,
       pg_stat_get_tuples_inserted('kuroshio.conflict'::regclass)::float8 AS conflicts,
       (SELECT md5(string_agg(t.line, ' ' ORDER BY t.line)) FROM (
           SELECT concat_ws('.', nspname, relname) || (SELECT string_agg(value, ',' ORDER BY value)
                                                         FROM jsonb_each_text(columns)) AS line
             FROM kuroshio.replicated_table) AS t) AS schema
  FROM kuroshio.site s CROSS JOIN kuroshio.capture c LEFT JOIN pg_replication_slots o ON o.slot_name = %s"""

_ORIGINS = """
SELECT origin, extract(epoch FROM r.heard_at)::float8 AS heard, extract(epoch FROM r.updated_at)::float8 AS recorded,
       r.clock_offset_seconds, (p.lsn - '0/0')::float8 AS position_bytes, p.changes,
       extract(epoch FROM p.commit_time)::float8 AS commit_time, p.rules
  FROM kuroshio.reading r FULL JOIN kuroshio.position p USING (origin)
 WHERE origin = ANY (%s)"""

_READERS = """
SELECT reader, extract(epoch FROM heard_at)::float8 AS heard, (lsn - '0/0')::float8 AS position_bytes,
       extract(epoch FROM commit_time)::float8 AS commit_time
  FROM kuroshio.peer_position WHERE origin = (SELECT name FROM kuroshio.site) AND reader = ANY (%s)"""

_PARKED = """
SELECT reason, count(*) AS number, extract(epoch FROM min(parked_at))::float8 AS oldest
  FROM kuroshio.parked GROUP BY reason"""

# A moment is µs since 2000-01-01 UTC and, in its last ten bits, a site.
_TOMBSTONES = """
SELECT CASE WHEN hidden <> '' THEN 'hidden' WHEN stable THEN 'stable' WHEN settled THEN 'settled' ELSE 'written' END
       AS stage, count(*) AS number, (min(deleted) >> 10) / 1e6 + 946684800 AS oldest
  FROM kuroshio.tombstone GROUP BY 1"""


_VERIFIED = """
SELECT p.name AS peer, concat_ws('.', t.nspname, t.relname) AS table, coalesce(v.divergent, 0) AS divergent,
       extract(epoch FROM coalesce(v.told_at, t.added_at))::float8 AS told
  FROM kuroshio.replicated_table t CROSS JOIN unnest(%s::text[]) AS p(name)
  LEFT JOIN kuroshio.verification v ON (v.peer, v.nspname, v.relname) = (p.name, t.nspname, t.relname)"""

_LETTERS = "SELECT coalesce(nullif(peer, ''), 'nobody') AS peer, answered, refused FROM kuroshio.letters"


def site(connection: Connection) -> Row:
    """This site, its slot and its capture."""
    rows = _rows(connection, _SITE, SLOT)
    if not rows:
        raise UsageError("this database belongs to no site yet: run python -m replication init")
    return rows[0]


def origins(connection: Connection, peers: Sequence[str]) -> list[Row]:
    """What is read of each peer; of a site that has left, positions are kept, and say nothing of now."""
    return _rows(connection, _ORIGINS, list(peers))


def readers(connection: Connection, peers: Sequence[str]) -> list[Row]:
    """What each peer has said of reading this site."""
    return _rows(connection, _READERS, list(peers))


def parked(connection: Connection) -> list[Row]:
    """What waits, by reason."""
    return _rows(connection, _PARKED)


def tombstones(connection: Connection) -> list[Row]:
    """The rows that are not in their tables, by stage."""
    return _rows(connection, _TOMBSTONES)


def verified(connection: Connection, peers: Sequence[str]) -> list[Row]:
    """How each table compares with each peer's."""
    return _rows(connection, _VERIFIED, list(peers))


def letters(connection: Connection) -> list[Row]:
    """What was asked of this site."""
    return _rows(connection, _LETTERS)


def data_directory(connection: Connection) -> str:
    """Where the server keeps its files."""
    return str(_rows(connection, "SELECT current_setting('data_directory') AS folder")[0]["folder"])


def _rows(connection: Connection, query: str, *parameters: object) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return list(cursor.execute(query.encode(), parameters or None).fetchall())

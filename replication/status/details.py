"""What a site's own database says of its log and of its reading of each origin, beyond what a view needs. Read-only."""

from typing import Any

import psycopg
from psycopg.rows import dict_row

_DETAIL = """
SELECT s.incarnation, c.state AS capture_state, c.reason AS capture_reason, c.commit_time AS newest_commit_time,
       c.changes AS changes_captured, c.updated_at AS capture_recorded_at,
       (SELECT count(*) FROM kuroshio.tombstone WHERE hidden = '') AS tombstones,
       (SELECT (pg_current_wal_insert_lsn() - restart_lsn)::bigint FROM pg_replication_slots
         WHERE slot_name = 'kuroshio') AS slot_retained_bytes
  FROM kuroshio.site s LEFT JOIN kuroshio.capture c ON true"""

_POSITIONS = """
SELECT p.origin, p.incarnation, p.lsn::text, p.commit_time, r.state, r.reason, r.lane, r.heard_at,
       r.updated_at AS recorded_at, r.clock_offset_seconds, r.refused, r.duplicates, r.retries
  FROM kuroshio.position p FULL JOIN kuroshio.reading r USING (origin) ORDER BY origin"""


def read_details(connection: psycopg.Connection[Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Of the site itself; and by origin: where its changes are applied up to, and how reading it goes."""
    with connection.cursor(row_factory=dict_row) as cursor:
        detail = cursor.execute(_DETAIL).fetchall()[0]
        positions = {row.pop("origin"): row for row in cursor.execute(_POSITIONS).fetchall()}
    return detail, positions

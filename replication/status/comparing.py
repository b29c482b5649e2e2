"""How this site's tables compare with its peers', and what was repaired: what the control plane keeps. Read-only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from replication.status.reading import rows

_COMPARISONS = """
SELECT v.peer, v.nspname || '.' || v.relname AS table, v.compared, greatest(c.reltuples, v.compared)::bigint AS rows,
       coalesce(v.asked_at > coalesce(v.began_at, '-infinity'), false) AS is_asked,
       v.began_at IS NOT NULL AND v.ended_at IS NULL AS is_under_way,
       v.letter_bytes, v.divergent, v.is_more, v.told_at, v.undecided,
       array(SELECT array_to_string(d.key, ', ') FROM kuroshio.divergent d
              WHERE (d.peer, d.nspname, d.relname) = (v.peer, v.nspname, v.relname) ORDER BY d.key LIMIT 5) AS keys
  FROM kuroshio.verification v
  LEFT JOIN pg_namespace n ON n.nspname = v.nspname
  LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = v.relname
 ORDER BY v.divergent = 0, v.undecided = '', v.ended_at IS NOT NULL, v.told_at NULLS FIRST, 1, 2"""

_REPAIRS = """
SELECT plan, min(planned_by) AS planned_by, min(applied_by) AS applied_by, max(applied_at) AS applied_at,
       count(*) AS rows, string_agg(DISTINCT nspname || '.' || relname, ', ') AS tables
  FROM kuroshio.repair GROUP BY plan ORDER BY max(applied_at) DESC LIMIT %s"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One table as here and as at one peer."""

    peer: str
    table: str
    is_asked: bool
    """Somebody wants it looked at, and nobody has begun."""
    is_under_way: bool
    compared: int
    """Rows of this site, in the look under way or the last one."""
    rows: int
    """How many there are, about."""
    letter_bytes: int
    """What the look cost on the line."""
    divergent: int
    """Rows, as of ``told_at``."""
    is_more: bool
    """There may be more of them."""
    told_at: datetime | None
    """None: it could never be told."""
    undecided: str
    """Why the last look could not tell."""
    keys: Sequence[str]
    """Of the first rows that differ."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """What one plan had this site send again."""

    plan: str
    planned_by: str
    applied_by: str
    applied_at: datetime
    rows: int
    tables: str


def comparisons(connection: psycopg.Connection[Any]) -> list[Comparison]:
    """All that is known, what differs first; nothing where this site's schema has no control plane yet."""
    return [Comparison(**row) for row in rows(connection, "verification", _COMPARISONS)]


def repairs(connection: psycopg.Connection[Any], *, most: int = 10) -> list[Repaired]:
    """The newest repairs."""
    return [Repaired(**row) for row in rows(connection, "repair", _REPAIRS, (most,))]

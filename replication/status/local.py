"""Reads how replication goes from one site's own database. Nothing is written, nothing else is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from replication.status import judge
from replication.status.judge import Head, Incoming, Said
from replication.status.views import LinkView, NotInitialisedError, SiteView

CAPTURE_SILENT_SECONDS = 10.0
"""Capture writes its record every second."""

_INSTALLED = """
SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = 'kuroshio' AND c.relname = 'capture') AS installed"""

_SITE = """
SELECT s.name, s.number, clock_timestamp() AS now, c.changes, c.state,
       extract(epoch FROM clock_timestamp() - c.updated_at)::float8 AS recorded_ago,
       (pg_current_wal_insert_lsn() - '0/0')::bigint AS lsn,
       CASE WHEN %(totals)s THEN (SELECT count(*) FROM kuroshio.conflict) END AS conflicts,
       CASE WHEN %(totals)s THEN (SELECT count(*) FROM kuroshio.parked WHERE reason = 'refused') END AS set_aside,
       CASE WHEN %(totals)s THEN (SELECT count(*) FROM kuroshio.parked WHERE reason <> 'refused') END AS parked
  FROM kuroshio.site s LEFT JOIN kuroshio.capture c ON true"""

_INCOMING = """
SELECT origin, coalesce(r.state, 'connecting') AS state, coalesce(r.reason, '') AS reason,
       coalesce(r.lane, 'live') AS lane, r.heard_at,
       (p.lsn - '0/0')::bigint AS lsn, p.commit_time, p.published_at,
       coalesce(p.complete_at, p.commit_time) AS complete_at, coalesce(p.changes, 0) AS changes,
       r.clock_offset_seconds,
       (greatest(r.head_lsn, p.lsn) - '0/0')::bigint AS head_lsn, greatest(r.head_changes, p.changes) AS head_changes
  FROM kuroshio.reading r FULL JOIN kuroshio.position p USING (origin)"""

_SAID = """
SELECT p.reader, p.origin, (p.lsn - '0/0')::bigint AS lsn, p.commit_time, p.heard_at, p.moved_at,
       CASE WHEN s.number IS NULL THEN nullif(p.changes, 0)
            ELSE greatest(p.changes,
                          (SELECT g.changes FROM kuroshio.passage g WHERE g.site = s.number AND g.to_lsn <= p.lsn
                            ORDER BY g.to_lsn DESC LIMIT 1)) END AS changes
  FROM kuroshio.peer_position p
  LEFT JOIN unnest(%s::text[], %s::int[]) AS s (name, number) ON s.name = p.origin
 WHERE p.reader <> %s"""


@dataclass(frozen=True, slots=True)
class Facts:
    """What one database holds on the replication between the sites."""

    site: str
    now: datetime
    own: Mapping[str, Any]
    heads: Mapping[str, Head]
    into: Mapping[str, Incoming]
    words: Mapping[tuple[str, str], Said]
    """By (origin, reader)."""

    @property
    def heard_of(self) -> list[str]:
        """The sites that this database knows of."""
        return sorted({self.site, *self.into, *(name for link in self.words for name in link)})

    def link(self, origin: str, reader: str) -> LinkView:
        """One link, as this site knows it."""
        head = self.heads.get(origin, Head(None, None))
        if reader == self.site:
            return judge.incoming(reader, self.into.get(origin, Incoming(origin)), head, self.now)
        heard = self.words.get((origin, reader))
        return judge.said(heard, head, self.now) if heard else judge.unheard(origin, reader)

    def view(self, names: Sequence[str]) -> SiteView:
        """All links between these sites, and the site's own state."""
        own = self.own
        return SiteView(
            self.site,
            self.now,
            tuple(self.link(origin, reader) for origin in names for reader in names if origin != reader),
            own["conflicts"],
            own["set_aside"],
            own["parked"],
            None if own["state"] in (None, "starting") else _runs(own["state"], own["recorded_ago"]),
        )


def local_view(
    connection: psycopg.Connection[Any], sites: Mapping[str, int] | None = None, *, totals: bool = True
) -> SiteView:
    """What this site knows. ``sites``: number by name of all configured sites, in the order wanted; without it, those
    that the database has heard of. Without ``totals`` nothing is counted, which costs the less the more there is.
    Raises :class:`NotInitialisedError`."""
    facts = read_facts(connection, sites or {}, totals=totals)
    return facts.view(list(sites) if sites else facts.heard_of)


def read_facts(connection: psycopg.Connection[Any], numbers: Mapping[str, int], *, totals: bool = True) -> Facts:
    """Read a database. Where an origin's number is not known, some backlogs are not either."""
    with connection.cursor(row_factory=dict_row) as cursor:
        if not cursor.execute(_INSTALLED).fetchall()[0]["installed"]:
            raise NotInitialisedError("this database is not under replication: run python -m replication init")
        own = cursor.execute(_SITE, {"totals": totals}).fetchone()
        if own is None:
            raise NotInitialisedError("this database belongs to no site yet: run python -m replication init")
        known = {**numbers, own["name"]: own["number"]}
        reading = cursor.execute(_INCOMING).fetchall()
        words = cursor.execute(_SAID, (list(known), list(known.values()), own["name"])).fetchall()
    return Facts(
        own["name"],
        own["now"],
        own,
        {row["origin"]: Head(row["head_lsn"], row["head_changes"]) for row in reading}
        | {own["name"]: Head(own["lsn"], own["changes"])},
        {row["origin"]: _incoming(row) for row in reading},
        {(row["origin"], row["reader"]): Said(**row) for row in words},
    )


def _runs(state: str, recorded_ago: float) -> bool:
    return state == "running" and recorded_ago < CAPTURE_SILENT_SECONDS


def _incoming(row: Mapping[str, Any]) -> Incoming:
    return Incoming(**{name: value for name, value in row.items() if not name.startswith("head_")})

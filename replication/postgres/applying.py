"""What apply keeps beside the rows: positions, readings, passages, conflicts, what is parked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Cursor
from psycopg.types.json import Jsonb

from replication.clock import to_datetime, to_us
from replication.core.changes import Change, from_json
from replication.core.concurrency import Passage
from replication.core.conflicts import Conflict
from replication.core.progress import Position, format_lsn, parse_lsn
from replication.postgres.connect import Connection
from replication.wire.header import Header

ORIGIN = "kuroshio"
"""The replication origin of all that apply writes: what it marks is never captured (invariant 5)."""


@dataclass(frozen=True, slots=True)
class Place:
    """A stored position, and where its message was read."""

    position: Position
    changes: int
    stream: str
    stream_offset: int
    published_at: datetime | None = None


def become_writer(connection: Connection) -> None:
    """Take this site's replication origin; one session at a time can hold it."""
    if connection.execute("SELECT FROM pg_replication_origin WHERE roname = %s", (ORIGIN,)).fetchone() is None:
        connection.execute("SELECT pg_replication_origin_create(%s)", (ORIGIN,))
    connection.execute("SELECT pg_replication_origin_session_setup(%s)", (ORIGIN,))
    for setting in ("session_replication_role = replica", "deadlock_timeout = '20ms'"):
        connection.execute("SET " + setting)


def wait_for_locks(connection: Connection, seconds: float) -> None:
    """Give a lock up after so long."""
    connection.execute("SELECT set_config('lock_timeout', %s, false)", (f"{seconds * 1000:.0f}ms",))


def places(connection: Connection) -> dict[str, Place]:
    """Up to where each origin is applied."""
    rows = connection.execute(
        "SELECT origin, incarnation, lsn::text, xid, commit_time, changes, stream, stream_offset, published_at"
        "  FROM kuroshio.position"
    ).fetchall()
    return {str(row[0]): _place(row[1:]) for row in rows}


def _place(row: Sequence[Any]) -> Place:
    incarnation, lsn, xid, commit_time, changes, stream, offset, published_at = row
    position = Position(incarnation, parse_lsn(lsn), xid, to_us(commit_time) if commit_time else 0)
    return Place(position, changes, stream, offset, published_at)


def save_place(connection: Connection, header: Header, stream: str, offset: int, *, complete: bool = False) -> None:
    """Move an origin's position; belongs in the transaction of its rows. ``complete``: when the message was published
    there was nothing more."""
    commit_time = to_datetime(header.last_commit_us) if header.last_commit_us else None
    published_at = to_datetime(header.published_us)
    connection.execute(
        "INSERT INTO kuroshio.position AS p (origin, incarnation, lsn, xid, commit_time, published_at,"
        " complete_at, changes, stream, stream_offset, rules)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (origin) DO UPDATE SET incarnation ="
        " excluded.incarnation,"
        " lsn = excluded.lsn, xid = CASE excluded.xid WHEN 0 THEN p.xid ELSE excluded.xid END,"
        " commit_time = coalesce(excluded.commit_time, p.commit_time), published_at = excluded.published_at,"
        " complete_at = greatest(excluded.complete_at, p.complete_at),"
        " changes = greatest(p.changes, excluded.changes), stream = excluded.stream, stream_offset ="
        " excluded.stream_offset,"
        " rules = excluded.rules, rules_from = CASE p.rules WHEN excluded.rules THEN p.rules_from ELSE p.lsn END",
        (
            header.origin,
            header.incarnation,
            format_lsn(header.to_lsn),
            header.xid,
            commit_time,
            published_at,
            published_at if complete else commit_time,
            header.changes_total,
            stream,
            offset,
            header.rules_version,
        ),
        prepare=True,
    )


_SAVE_PEER_POSITIONS = """
INSERT INTO kuroshio.peer_position (reader, origin, incarnation, lsn, commit_time, said_at, heard_at)
SELECT %s, origin, incarnation, lsn, timestamptz '2000-01-01 00:00:00+00' + nullif(us, 0) * interval '1 microsecond',
       %s, clock_timestamp()
  FROM unnest(%s::text[], %s::text[], %s::pg_lsn[], %s::bigint[]) AS said(origin, incarnation, lsn, us)
    ON CONFLICT (reader, origin) DO UPDATE SET incarnation = excluded.incarnation, lsn = excluded.lsn,
       commit_time = excluded.commit_time, said_at = excluded.said_at, heard_at = excluded.heard_at"""


def save_peer_positions(connection: Connection, header: Header) -> None:
    """What a peer says that it has applied."""
    said = list(header.positions.items())
    connection.execute(
        _SAVE_PEER_POSITIONS,
        (
            header.origin,
            to_datetime(header.clock_us),
            [origin for origin, _ in said],
            [position.incarnation for _, position in said],
            [format_lsn(position.lsn) for _, position in said],
            [position.commit_us for _, position in said],
        ),
        prepare=True,
    )


@dataclass(slots=True)
class Reading:
    """How reading one origin goes; the reader changes it, the writer stores it every second."""

    origin: str
    state: str = "connecting"
    reason: str = ""
    lane: str = "live"
    heard_at: datetime | None = None
    clock_offset_seconds: float | None = None
    head_lsn: int = 0
    head_changes: int = 0
    refused: int = 0
    duplicates: int = 0
    retries: int = 0


def save_reading(connection: Connection, reading: Reading) -> None:
    """Store how reading goes."""
    connection.execute(
        "INSERT INTO kuroshio.reading AS r (origin, state, reason, lane, heard_at, clock_offset_seconds,"
        " head_lsn, head_changes,"
        " refused, duplicates, retries) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (origin) DO UPDATE SET state = excluded.state, reason = excluded.reason, lane = excluded.lane,"
        " heard_at = coalesce(excluded.heard_at, r.heard_at),"
        " clock_offset_seconds = coalesce(excluded.clock_offset_seconds, r.clock_offset_seconds),"
        " head_lsn = greatest(r.head_lsn, excluded.head_lsn), head_changes = greatest(r.head_changes,"
        " excluded.head_changes),"
        " refused = excluded.refused, duplicates = excluded.duplicates, retries = excluded.retries,"
        " updated_at = clock_timestamp()",
        (
            reading.origin,
            reading.state,
            reading.reason,
            reading.lane,
            reading.heard_at,
            reading.clock_offset_seconds,
            format_lsn(reading.head_lsn),
            reading.head_changes,
            reading.refused,
            reading.duplicates,
            reading.retries,
        ),
        prepare=True,
    )


def passages(connection: Connection, site: int) -> list[Passage]:
    """All passages of a site that some peer may not have passed yet."""
    rows = connection.execute(
        "SELECT from_lsn::text, to_lsn::text, low, high, applied FROM kuroshio.passage WHERE site = %s", (site,)
    ).fetchall()
    return [_passage(site, row) for row in rows]


def _passage(site: int, row: Sequence[Any]) -> Passage:
    from_lsn, to_lsn, low, high, applied = row
    return Passage(
        site, low, high, parse_lsn(from_lsn), parse_lsn(to_lsn), {int(n): parse_lsn(lsn) for n, lsn in applied.items()}
    )


def record_conflicts(connection: Connection, found: Iterable[Conflict]) -> list[Cursor[Any]]:
    """Keep conflicts, each once however often it is decided. What is returned has a ``rowcount`` of 1 for those that
    were not on record; in a pipeline, once it has ended."""
    return [
        connection.execute(
            "INSERT INTO kuroshio.conflict (nspname, relname, key, column_name, winner, loser, type, resolution, rule,"
            " winner_value, loser_value) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (
                *conflict.table,
                [part.decode() for part in conflict.key],
                conflict.column,
                conflict.winner,
                conflict.loser,
                conflict.type,
                conflict.resolution,
                conflict.rule,
                conflict.winner_value.decode() if conflict.winner_value is not None else None,
                conflict.loser_value.decode() if conflict.loser_value is not None else None,
            ),
            prepare=True,
        )
        for conflict in found
    ]


def park(connection: Connection, change: Change, reason: str, detail: str = "") -> None:
    """Set a change aside; it is merged whenever its cause is gone, because merging does not depend on order. Cells of
    one change that wait each for their own cause wait together."""
    connection.execute(
        "INSERT INTO kuroshio.parked AS p (nspname, relname, key, moment, op, origin, lsn, change, reason, detail)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (nspname, relname, key, moment, op)"
        " DO UPDATE SET reason = excluded.reason, detail = excluded.detail, tries = p.tries + 1,"
        " change = p.change || jsonb_build_object('cells', p.change->'cells' || (excluded.change->'cells'),"
        " 'authority', p.change->'authority' || (excluded.change->'authority'),"
        " 'parts', p.change->'parts' || (excluded.change->'parts'))",
        (
            *change.table,
            [part.decode() for part in change.key],
            change.moment,
            change.op,
            change.author.origin,
            format_lsn(change.author.to_lsn),
            Jsonb(change.to_json()),
            reason,
            detail,
        ),
        prepare=True,
    )


def unpark(connection: Connection, change: Change, tries: int) -> None:
    """A parked change was merged, unless it was parked again since it had this many tries."""
    connection.execute(
        "DELETE FROM kuroshio.parked WHERE nspname = %s AND relname = %s AND key = %s AND moment = %s AND op = %s"
        " AND tries = %s",
        (*change.table, [part.decode() for part in change.key], change.moment, change.op, tries),
        prepare=True,
    )


def parked(
    connection: Connection, numbers: Mapping[str, int], limit: int, only: int | None = None
) -> list[tuple[Change, int]]:
    """The changes that wait, or the one of this id, and how often each was tried; those that were tried least first."""
    rows: list[Any] = connection.execute(
        "SELECT nspname, relname, op::text, key, moment, origin, lsn::text, change, tries FROM kuroshio.parked"
        " WHERE %(only)s::bigint IS NULL OR id = %(only)s ORDER BY tries, moment LIMIT %(limit)s",
        {"only": only, "limit": limit},
    ).fetchall()
    return [
        (from_json((schema, name), op, key, moment, (origin, numbers[origin]), parse_lsn(lsn), body), tries)
        for schema, name, op, key, moment, origin, lsn, body, tries in rows
        if origin in numbers
    ]


def any_parked(connection: Connection) -> bool:
    """Whether a change waits."""
    return connection.execute("SELECT FROM kuroshio.parked LIMIT 1").fetchone() is not None


def move_hint(connection: Connection, origin: str, stream: str, offset: int) -> None:
    """Read on from here after a cut: what lies before is applied or staged. The position itself does not move."""
    connection.execute(
        "UPDATE kuroshio.position SET stream = %s, stream_offset = %s WHERE origin = %s", (stream, offset, origin)
    )


Held = tuple[str, str, list[str]]
"""Schema, table and key of a row that was deleted and is there."""
FIRST_HELD: Held = ("", "", [])


def held_rows(connection: Connection, after: Held, most: int) -> list[Held]:
    """The next rows that were deleted and are there, in the order of their keys: those that outlived their delete, and
    those that others refer to, in sight or fallen."""
    rows: list[Any] = connection.execute(
        "SELECT nspname, relname, key FROM kuroshio.tombstone"
        " WHERE (stamps IS NULL OR hidden = 'fallen') AND saw[1] > 0 AND (nspname, relname, key) > (%s, %s, %s::text[])"
        " ORDER BY nspname, relname, key LIMIT %s",
        (*after, most),
    ).fetchall()
    return [(schema, name, key) for schema, name, key in rows]


def note_look(connection: Connection) -> None:
    """Count that all rows that follow from others were looked after."""
    connection.execute("UPDATE kuroshio.look SET number = number + 1")


def drop_passages(connection: Connection, own: str, peers: Sequence[str]) -> None:
    """Drop the passages that every site has passed."""
    connection.execute(_DROP_PASSAGES, {"peers": list(peers), "own": own})


_DROP_PASSAGES = """
DELETE FROM kuroshio.passage d
 USING (SELECT s.site, min(p.lsn) AS lsn FROM (
            SELECT DISTINCT site FROM kuroshio.passage) s
          JOIN kuroshio.site_number n ON n.number = s.site
          JOIN kuroshio.peer_position p ON p.origin = n.name AND p.reader = ANY (%(peers)s)
         GROUP BY s.site
        HAVING count(*) >= cardinality(%(peers)s) - CASE WHEN min(n.name) = %(own)s THEN 0 ELSE 1 END) passed
 WHERE d.site = passed.site AND d.to_lsn < passed.lsn
   AND d.to_lsn < (SELECT max(to_lsn) FROM kuroshio.passage WHERE site = d.site)"""


def adopt_rules(connection: Connection, version: str) -> frozenset[str]:
    """Note the version of the rules in force; return all that this site has had."""
    connection.execute("INSERT INTO kuroshio.rules_version (version) VALUES (%s) ON CONFLICT DO NOTHING", (version,))
    return frozenset(str(row[0]) for row in connection.execute("SELECT version FROM kuroshio.rules_version").fetchall())


def know_sites(connection: Connection, numbers: Mapping[str, int]) -> None:
    """Keep the sites' numbers, by which moments name them, and how reading goes of these sites alone: whoever is not
    among them any more is not read."""
    connection.execute("DELETE FROM kuroshio.reading WHERE origin <> ALL (%s)", (list(numbers),))
    for name, number in numbers.items():
        connection.execute(
            "INSERT INTO kuroshio.site_number (name, number) VALUES (%s, %s)"
            " ON CONFLICT (name) DO UPDATE SET number = excluded.number WHERE site_number.number <> excluded.number",
            (name, number),
        )

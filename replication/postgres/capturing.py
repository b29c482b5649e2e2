"""What capture reads from, and keeps in, this site's database."""

from collections.abc import Collection
from dataclasses import dataclass

from psycopg.types.json import Jsonb

from replication.clock import to_us
from replication.core.progress import Position, format_lsn, parse_lsn
from replication.errors import InvariantError
from replication.postgres.connect import Connection
from replication.postgres.install import SLOT

Positions = dict[str, Position]


@dataclass(frozen=True, slots=True)
class Identity:
    """Which site, and which log, this database belongs to."""

    name: str
    number: int
    incarnation: str
    lineage: tuple[tuple[str, int], ...]
    live_lsn: int
    packed_lsn: int
    changes: int
    views: frozenset[str] = frozenset({""})
    """The names of the views that there are streams for."""
    recorded_us: int = 0
    """When capture last kept its record; µs since 2000."""
    records: int = 0
    """How often it has."""


UNRECORDED_SECONDS = 60.0
"""Capture keeps its record every second, or ends."""


def is_unrecorded(own: Identity, lsn: int, published_us: int) -> bool:
    """Was a message sent of which this database cannot know, having had no record for so long? It was restored then."""
    is_behind = lsn > max(own.live_lsn, own.packed_lsn)
    return is_behind and published_us - own.recorded_us > UNRECORDED_SECONDS * 1_000_000


def identity(connection: Connection) -> Identity:
    """Read who this is. Raises where the database was never initialised."""
    row = connection.execute(
        "SELECT name, number, incarnation, lineage, live_lsn::text, packed_lsn::text, changes, views, updated_at,"
        " records FROM kuroshio.site CROSS JOIN kuroshio.capture"
    ).fetchone()
    if row is None:
        raise InvariantError("this database is not initialised: run python -m replication init")
    name, number, incarnation, lineage, live, packed, changes, views, recorded_at, records = row
    return Identity(
        str(name),
        int(str(number)),
        str(incarnation),
        tuple((str(token), parse_lsn(lsn)) for token, lsn in lineage),  # type: ignore[attr-defined]
        parse_lsn(str(live)),
        parse_lsn(str(packed)),
        int(str(changes)),
        frozenset(map(str, views)),  # type: ignore[call-overload]
        to_us(recorded_at),  # type: ignore[arg-type]
        int(str(records)),
    )


def slot_confirmed(connection: Connection) -> int | None:
    """Up to where the slot has let go; None when it does not exist."""
    row = connection.execute(
        "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = %s AND wal_status <> 'lost'",
        (SLOT,),
    ).fetchone()
    return parse_lsn(str(row[0])) if row else None


def has_node(connection: Connection) -> bool:
    """Is pglogical set up here? Its tables are in a copy of the files, and not in a dump."""
    known = connection.execute("SELECT to_regclass('pglogical.local_node') IS NOT NULL").fetchone() == (True,)
    return known and connection.execute("SELECT FROM pglogical.local_node").fetchone() is not None


def unstamped(connection: Connection) -> list[str]:
    """The tables under replication whose stamp triggers are not all there, or do not fire in every session."""
    return [str(name) for (name,) in connection.execute(_UNSTAMPED).fetchall()]


_UNSTAMPED = """
SELECT format('%I.%I', nspname, relname) AS named FROM kuroshio.replicated_table
 WHERE to_regclass(format('%I.%I', nspname, relname)) IS NOT NULL AND EXISTS (
       SELECT FROM unnest('{insert,update,delete}'::text[]) AS op WHERE NOT EXISTS (
              SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
               WHERE t.tgrelid = to_regclass(format('%I.%I', nspname, relname)) AND t.tgname = '~~kuroshio_' || op
                 AND t.tgenabled = 'A' AND p.pronamespace = 'kuroshio'::regnamespace
                 AND p.proname = 'on_' || op || '_' || left(md5(nspname || '.' || relname), 12)))
 ORDER BY named"""


def flushed(connection: Connection) -> int:
    """The WAL position on disk."""
    row = connection.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
    assert row is not None
    return parse_lsn(str(row[0]))


def sample(connection: Connection) -> tuple[Positions, int]:
    """What this site has durably applied, then the WAL position: read in this order (pitfall P5)."""
    rows = connection.execute(
        "SELECT origin, incarnation, lsn::text, xid, coalesce(complete_at, commit_time) FROM kuroshio.position"
    ).fetchall()
    positions = {
        str(origin): Position(str(token), parse_lsn(str(lsn)), int(str(xid)), to_us(at) if at else 0)  # type: ignore[arg-type]
        for origin, token, lsn, xid, at in rows
    }
    row = connection.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
    assert row is not None
    return positions, parse_lsn(str(row[0]))


def applied_by_peers(connection: Connection, own: Identity) -> dict[str, int]:
    """What each peer says it has durably applied of this site, in this LSN space."""
    rows = connection.execute(
        "SELECT reader, lsn::text FROM kuroshio.peer_position WHERE origin = %s AND incarnation = ANY (%s)",
        (own.name, [token for token, _ in own.lineage]),
    ).fetchall()
    return {str(reader): parse_lsn(str(lsn)) for reader, lsn in rows}


def record(
    connection: Connection, live: int, packed: int, changes: int, commit_us: int, state: str, reason: str = ""
) -> int:
    """Keep what the broker has confirmed, and how capture is; returns how often that was kept."""
    row = connection.execute(
        "UPDATE kuroshio.capture SET live_lsn = %s, packed_lsn = %s, changes = %s, state = %s, reason = %s,"
        " updated_at = now(), records = records + 1,"
        " commit_time = CASE WHEN %s > 0 THEN timestamptz '2000-01-01 00:00:00+00' + %s * interval '1 microsecond'"
        " ELSE commit_time END RETURNING records",
        (format_lsn(live), format_lsn(packed), changes, state, reason, commit_us, commit_us),
    ).fetchone()
    return int(str(row[0])) if row else 0


def record_views(connection: Connection, names: Collection[str]) -> None:
    """Keep for which views there are streams: one that is missing later was lost."""
    connection.execute("UPDATE kuroshio.capture SET views = %s", (sorted(names),))


def record_start(connection: Connection, version: str, peers: Collection[str]) -> None:
    """Keep under which version of the rules this site writes from here on, and whom its slot waits for."""
    connection.execute("UPDATE kuroshio.capture SET rules = %s, peers = %s", (version, sorted(peers)))


def pass_on(connection: Connection) -> None:
    """Send what apply has noted of rows whose readers changed (replication/postgres/residency.sql)."""
    connection.execute("SELECT kuroshio.pass_on()")


def record_state(connection: Connection, state: str, reason: str) -> None:
    """Say why capture does not run. When it last ran stays on record."""
    connection.execute("UPDATE kuroshio.capture SET state = %s, reason = %s", (state, reason))


def begin_incarnation(connection: Connection, own: Identity, token: str, lsn: int) -> None:
    """A rebuilt log, from ``lsn`` of the same LSN space on."""
    lineage = [*([name, format_lsn(start)] for name, start in own.lineage), [token, format_lsn(lsn)]]
    with connection.transaction():
        connection.execute("UPDATE kuroshio.site SET incarnation = %s, lineage = %s", (token, Jsonb(lineage)))
        connection.execute("UPDATE kuroshio.capture SET live_lsn = %(l)s, packed_lsn = %(l)s", {"l": format_lsn(lsn)})


def begin_lineage(connection: Connection, token: str, lsn: int) -> None:
    """A new log that continues none: nothing of what was before it is in it."""
    with connection.transaction():
        connection.execute(
            "UPDATE kuroshio.site SET incarnation = %s, lineage = %s", (token, Jsonb([[token, format_lsn(lsn)]]))
        )
        connection.execute("UPDATE kuroshio.capture SET live_lsn = %(l)s, packed_lsn = %(l)s", {"l": format_lsn(lsn)})


def record_passage(
    connection: Connection,
    site: int,
    span: tuple[int, int],
    moments: tuple[int, int],
    applied: dict[int, int],
    changes: int,
) -> None:
    """Keep which moments lie in which LSN range, and what the author's site had applied (core/concurrency.py)."""
    connection.execute(
        "INSERT INTO kuroshio.passage (site, from_lsn, to_lsn, low, high, applied, changes) VALUES (%s, %s,"
        " %s, %s, %s, %s, %s)"
        " ON CONFLICT (site, to_lsn) DO UPDATE SET from_lsn = least(passage.from_lsn, excluded.from_lsn),"
        " low = least(passage.low, excluded.low), high = greatest(passage.high, excluded.high)",
        (
            site,
            format_lsn(span[0]),
            format_lsn(span[1]),
            *moments,
            Jsonb({str(number): format_lsn(lsn) for number, lsn in applied.items()}),
            changes,
        ),
    )

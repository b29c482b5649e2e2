"""The fence: returns when all that was committed at every site before the call is applied at every other.

1. At each site, the WAL position is read: whatever was committed before it lies at or below it.
2. Then a fence row is written: there is something behind that position to send, which moves the readers past it.
3. The fence is passed when every other site's position of that origin is at or beyond it, in the same LSN space (the
   origin's lineage: a log that was rebuilt meanwhile still counts).

What a change of the rules lets sites have that they had not (replication/core/widening.py) nobody commits anew: it is
waited for by itself. Rows that follow from others (a parent that returned, a claim that was let go) are looked after by
apply, again and again: who compares sites waits for that too. A change that is parked or set aside at a reader counts
as passed, and is counted for who asks.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from replication.core.progress import parse_lsn
from replication.errors import UsageError
from replication.postgres.connect import Connection
from replication.sites import at_each

POLL_SECONDS = 0.05
RECORD_SECONDS = 5.0
"""A daemon writes its record every second."""
SILENT_SECONDS = 12.0
"""On the packed lane a message comes every five."""

Sites = Mapping[str, Connection]


@dataclass(frozen=True, slots=True)
class Mark:
    """A point in an origin's log."""

    origin: str
    lsn: int


@dataclass(frozen=True, slots=True)
class Owing:
    """A site that has not sent all that a change of the rules lets others have, or not all of that is applied."""

    origin: str
    tables: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.origin} still sends what the rules let others have of {', '.join(self.tables)}\n"
            "  next: wait longer; it begins when every site runs under these rules, and goes on as they apply it"
        )


@dataclass(frozen=True, slots=True)
class Behind:
    """A link that has not passed its mark."""

    origin: str
    reader: str
    missing_bytes: int | None
    """Of WAL; None: nothing of this LSN space is applied."""
    seconds: float | None
    """Since the origin published the newest message that is applied."""
    hint: str

    def __str__(self) -> str:
        size = "nothing is applied" if self.missing_bytes is None else f"{self.missing_bytes:,} bytes of WAL behind"
        age = "" if self.seconds is None else f", what is applied was sent {self.seconds:.0f} s ago"
        return f"{self.origin} -> {self.reader}: {size}{age}\n  next: {self.hint}"


def wait(sites: Sites, timeout_seconds: float) -> list[Behind]:
    """Wait until every link has passed its fence; returns the links that have not when the time is over."""
    deadline = time.monotonic() + timeout_seconds
    marks = list(at_each(sites, mark).values())
    while missing := _missing(sites, marks):
        if time.monotonic() >= deadline:
            return [_explain(sites, *link) for link in missing]
        time.sleep(POLL_SECONDS)
    return []


def wait_for_owed(sites: Sites, timeout_seconds: float) -> list[Owing]:
    """Wait until no site owes another anything by a change of the rules; returns those that do in the end."""
    deadline = time.monotonic() + timeout_seconds
    while owing := _owing(sites):
        if time.monotonic() >= deadline:
            return owing
        time.sleep(POLL_SECONDS)
    return []


def wait_for_looks(sites: Sites, timeout_seconds: float) -> list[str]:
    """Wait until every site has looked after all rows that follow from what is there now; returns in words who has not.

    One look may be under way; the next one sees everything.
    """
    deadline = time.monotonic() + timeout_seconds
    wanted = {site: number + 2 for site, number in at_each(sites, looks).items()}
    while late := [site for site, number in at_each(sites, looks).items() if number < wanted[site]]:
        if time.monotonic() >= deadline:
            return [
                f"{site} does not look after rows that follow from others: is apply running there?" for site in late
            ]
        time.sleep(POLL_SECONDS)
    return []


def looks(connection: Connection) -> int:
    """How often apply has looked after the rows that follow from others."""
    row = connection.execute("SELECT number FROM kuroshio.look").fetchone()
    return int(str(row[0])) if row else 0


def _owing(sites: Sites) -> list[Owing]:
    query = "SELECT nspname || '.' || relname FROM kuroshio.audience WHERE jsonb_array_length(audiences) > 1 ORDER BY 1"
    found = at_each(sites, lambda connection: connection.execute(query).fetchall())
    return [Owing(site, tuple(str(name) for (name,) in rows)) for site, rows in found.items() if rows]


def mark(connection: Connection) -> Mark:
    """Set a fence at one site."""
    row = connection.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
    connection.execute("UPDATE kuroshio.fence SET number = number + 1 WHERE site = (SELECT name FROM kuroshio.site)")
    own = connection.execute("SELECT name FROM kuroshio.site").fetchone()
    if row is None or own is None:
        raise UsageError("a database is of no site yet: run python -m replication init")
    return Mark(str(own[0]), parse_lsn(str(row[0])))


def set_aside(sites: Sites) -> dict[str, int]:
    """Site -> changes that are parked or set aside there, where there are any."""
    counts = at_each(sites, lambda connection: connection.execute("SELECT count(*) FROM kuroshio.parked").fetchone())
    return {site: int(str(row[0])) for site, row in counts.items() if row and row[0]}


def _missing(sites: Sites, marks: Sequence[Mark]) -> list[tuple[Mark, str, int | None]]:
    """The links that have not passed: the mark, the reader, and how many bytes are missing."""
    lineages = {name: lineage(connection) for name, connection in sites.items()}
    missing: list[tuple[Mark, str, int | None]] = []
    for reader, connection in sites.items():
        positions = applied(connection)
        for at in marks:
            incarnation, lsn = positions.get(at.origin, ("", 0))
            known = incarnation in lineages[at.origin]
            if at.origin != reader and not (known and lsn >= at.lsn):
                missing.append((at, reader, at.lsn - lsn if known else None))
    return missing


def lineage(connection: Connection) -> set[str]:
    """The logs of a site's LSN space."""
    row = connection.execute("SELECT lineage FROM kuroshio.site").fetchone()
    return {str(name) for name, _ in row[0]} if row else set()  # type: ignore[attr-defined]


def applied(connection: Connection) -> dict[str, tuple[str, int]]:
    """Origin -> in which log, and up to where, it is applied at a site."""
    rows = connection.execute("SELECT origin, incarnation, lsn::text FROM kuroshio.position").fetchall()
    return {str(origin): (str(incarnation), parse_lsn(str(lsn))) for origin, incarnation, lsn in rows}


_READING = """
SELECT state, reason, extract(epoch FROM clock_timestamp() - r.updated_at)::float8,
       extract(epoch FROM clock_timestamp() - r.heard_at)::float8,
       extract(epoch FROM clock_timestamp() - p.published_at)::float8
  FROM kuroshio.reading r LEFT JOIN kuroshio.position p USING (origin) WHERE origin = %s"""


def _explain(sites: Sites, at: Mark, reader: str, missing: int | None) -> Behind:
    row = sites[reader].execute(_READING, (at.origin,)).fetchone()
    seconds = None if row is None or row[4] is None else max(float(str(row[4])), 0.0)
    return Behind(at.origin, reader, missing, seconds, _hint(sites, at.origin, reader, row))


def _hint(sites: Sites, origin: str, reader: str, reading: tuple[object, ...] | None) -> str:
    """What most likely is in the way, from what the two sites' daemons last wrote."""
    capture = (
        sites[origin]
        .execute(
            "SELECT state, reason, extract(epoch FROM clock_timestamp() - updated_at)::float8 FROM kuroshio.capture"
        )
        .fetchone()
    )
    if capture is None or capture[0] != "running" or float(str(capture[2])) > RECORD_SECONDS:
        reason = f" ({capture[1]})" if capture and capture[1] else ""
        return f"capture does not run at {origin}{reason}: start it, or see its log"
    if reading is None or float(str(reading[2])) > RECORD_SECONDS:
        return f"apply does not run at {reader}: start it, or see its log"
    state, why, _, heard, _ = reading
    if state == "stopped":
        return f"reading {origin} stopped at {reader}: {why}"
    if heard is None or float(str(heard)) > SILENT_SECONDS:
        return f"{reader} hears nothing of {origin}: heal the line between them, or start the broker of {origin}"
    return f"{reader} is catching up with {origin}: wait longer"

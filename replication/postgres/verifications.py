"""What this site knows of how its tables compare with its peers' (kuroshio.verification), and what peers have asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from replication.postgres.catalog import Quoted
from replication.postgres.connect import Connection

Name = tuple[str, str]
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cycle:
    """When a table is due."""

    every_hours: float
    first_after_seconds: float = 600.0
    """A table that has just come under replication is on its way."""
    again_after_seconds: float = 600.0
    """Where it could not be told."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a look came to."""

    compared: int
    letter_bytes: int
    differing: Sequence[Key]
    is_more: bool
    undecided: str


_DUE = """
SELECT p.name, t.nspname, t.relname
  FROM kuroshio.replicated_table t CROSS JOIN unnest(%(peers)s::text[]) AS p(name)
  LEFT JOIN kuroshio.verification v ON (v.peer, v.nspname, v.relname) = (p.name, t.nspname, t.relname)
 WHERE v.asked_at > coalesce(v.began_at, '-infinity')
    OR v.began_at IS NOT NULL AND v.ended_at IS NULL
    OR v.ended_at < now() - make_interval(hours => 1) * %(hours)s
    OR v.undecided <> '' AND v.ended_at < now() - make_interval(secs => %(again)s)
    OR v.began_at IS NULL AND t.added_at < now() - make_interval(secs => %(first)s)
 ORDER BY v.asked_at > coalesce(v.began_at, '-infinity') DESC NULLS LAST, v.began_at NULLS FIRST, 1, 2, 3 LIMIT 1"""


def next_due(connection: Connection, peers: Sequence[str], cycle: Cycle) -> tuple[str, Name] | None:
    """The peer and the table to look at now; what somebody asked for comes first."""
    parameters = {
        "peers": list(peers),
        "hours": cycle.every_hours,
        "again": cycle.again_after_seconds,
        "first": cycle.first_after_seconds,
    }
    row: Any = connection.execute(_DUE, parameters).fetchone()
    return None if row is None else (row[0], (row[1], row[2]))


def begin(connection: Connection, peer: str, table: Name) -> None:
    """A look begins."""
    connection.execute(
        "INSERT INTO kuroshio.verification (peer, nspname, relname, began_at) VALUES (%s, %s, %s, clock_timestamp())"
        " ON CONFLICT (peer, nspname, relname) DO UPDATE SET began_at = clock_timestamp(), ended_at = NULL,"
        " compared = 0, letter_bytes = 0",
        (peer, *table),
    )


def progress(connection: Connection, peer: str, table: Name, compared: int, letter_bytes: int) -> None:
    """How far it has come."""
    connection.execute(
        "UPDATE kuroshio.verification SET compared = %s, letter_bytes = %s"
        " WHERE peer = %s AND nspname = %s AND relname = %s",
        (compared, letter_bytes, peer, *table),
    )


def end(connection: Connection, peer: str, table: Name, outcome: Outcome) -> None:
    """A look ended. Where it could not tell, what is known of earlier stays, as old as it is; a difference that was
    found is told, whatever else could not be."""
    is_told = not outcome.undecided or bool(outcome.differing)
    with connection.transaction():
        connection.execute(
            "UPDATE kuroshio.verification SET ended_at = clock_timestamp(), compared = %(compared)s,"
            " letter_bytes = %(letter_bytes)s, undecided = %(undecided)s,"
            " divergent = CASE WHEN %(told)s THEN %(divergent)s ELSE divergent END,"
            " is_more = CASE WHEN %(told)s THEN %(more)s ELSE is_more END,"
            " told_at = CASE WHEN %(told)s THEN clock_timestamp() ELSE told_at END,"
            " agreed_at = CASE WHEN %(told)s AND %(divergent)s = 0 THEN clock_timestamp() ELSE agreed_at END"
            " WHERE peer = %(peer)s AND nspname = %(schema)s AND relname = %(name)s",
            {
                "compared": outcome.compared,
                "letter_bytes": outcome.letter_bytes,
                "undecided": outcome.undecided,
                "told": is_told,
                "divergent": len(outcome.differing),
                "more": outcome.is_more,
                "peer": peer,
                "schema": table[0],
                "name": table[1],
            },
        )
        if is_told:
            _name(connection, peer, table, outcome.differing)


def _name(connection: Connection, peer: str, table: Name, keys: Sequence[Key]) -> None:
    """Exactly these rows differ; those that did before keep the time when they were found."""
    kept = [list(key) for key in keys]
    connection.execute(
        "DELETE FROM kuroshio.divergent WHERE peer = %s AND nspname = %s AND relname = %s"
        " AND to_jsonb(key) <> ALL (%s::jsonb[])",
        (peer, *table, [Jsonb(key) for key in kept]),
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO kuroshio.divergent (peer, nspname, relname, key) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            [(peer, *table, key) for key in kept],
        )


def ask(connection: Connection, by: str) -> None:
    """Have all tables looked at now, with all peers; that it was asked is on record."""
    connection.execute("SELECT kuroshio.ask_verification(%s)", (by,))


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one table and one peer."""

    peer: str
    table: str
    is_under_way: bool
    compared: int
    divergent: int
    is_more: bool
    told_seconds: float | None
    """Ago; None: it could never be told."""
    undecided: str

    def __str__(self) -> str:
        said = "not compared yet"
        if self.told_seconds is not None:
            count = f"{'at least ' if self.is_more else ''}{self.divergent:,}"
            said = f"{count} rows differ, as of {self.told_seconds:,.0f} s ago"
        now = f"; under way, {self.compared:,} rows so far" if self.is_under_way else ""
        why = f"; the last look could not tell: {self.undecided}" if self.undecided else ""
        return f"{self.table} as at {self.peer}: {said}{now}{why}"


def known(connection: Connection) -> list[Known]:
    """All that is known, with its age."""
    rows: list[Any] = connection.execute(
        "SELECT peer, nspname || '.' || relname, began_at IS NOT NULL AND ended_at IS NULL, compared, divergent,"
        " is_more, extract(epoch FROM clock_timestamp() - told_at)::float8, undecided"
        " FROM kuroshio.verification ORDER BY 1, 2"
    ).fetchall()
    return [Known(*row) for row in rows]


def forget(connection: Connection, peer: str) -> None:
    """What is known of a peer that is not there any more."""
    for table in ("verification", "divergent", "letters"):
        query = sql.SQL("DELETE FROM kuroshio.{} WHERE peer = %s").format(Quoted(table))
        connection.execute(query, (peer,))


def count_letter(connection: Connection, peer: str, refusal: str) -> None:
    """A peer has asked something; ``refusal`` says why it was refused, or nothing."""
    connection.execute(
        "INSERT INTO kuroshio.letters AS l (peer, answered, refused, reason, heard_at)"
        " VALUES (%(peer)s, %(answered)s, %(refused)s, %(reason)s, clock_timestamp())"
        " ON CONFLICT (peer) DO UPDATE SET answered = l.answered + excluded.answered, heard_at = excluded.heard_at,"
        " refused = l.refused + excluded.refused,"
        " reason = CASE WHEN excluded.reason = '' THEN l.reason ELSE excluded.reason END",
        {"peer": peer, "answered": int(not refusal), "refused": int(bool(refusal)), "reason": refusal[:500]},
    )

"""One run of a scenario file (`tests/simulation/scenario.py`) on four running sites.

Every line is cut when it begins. "X hears Y" heals the line from Y to X until X's users can read all that Y's have
written in this run, and cuts it again. What the file leaves open, in the end, comes in line by line in an order of the
dice, or all at once with one of the appliers killed meanwhile.

Then all must be equal, the file's expectations hold, and the referee allow it.

A reader whose line is silent for 15 s attaches anew, which it cannot while the way back is cut. So a run that takes
longer, on a busy machine, comes to nothing (`LineLostError`), and is played again.
"""

import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import psycopg
from psycopg.sql import SQL, Composed, Identifier

from deploy.local.wan.client import Lines
from replication.wait import mark
from tests.referee.history import End, Record, Rows, Value, Values, Write
from tests.referee.verdict import judge
from tests.simulation.scenario import Recorded, require, require_now, typed_values
from tests.simulation.world import COLUMNS
from tests.stack.proof.sites import Sites, until
from tests.stack.scenarios.table import SCHEMA, WITNESS, declared, name_of

Connection = psycopg.Connection[Any]
OPS: Mapping[str, str] = {"inserts": "insert", "sets": "update", "deletes": "delete"}
ATTEMPTS = 10
READS = """
SELECT count(*) FROM kuroshio.reading
 WHERE state = 'running' AND least(heard_at, updated_at) > clock_timestamp() - interval '3 s'"""

SEEN = f"""
SELECT id, EXISTS (SELECT FROM kuroshio.parked p WHERE p.nspname = '{SCHEMA}' AND p.relname = %(table)s
                      AND p.key[1] = w.key AND p.origin = w.site AND p.op::text = upper(left(w.op, 1)))
  FROM {WITNESS} w WHERE run = %(run)s"""
RECORDS = f"""
SELECT split_part(key[1], '/', 2), type, column_name, winner, loser, loser_value FROM kuroshio.conflict
 WHERE nspname = '{SCHEMA}' AND relname = %s AND starts_with(key[1], %s)"""


class LineLostError(Exception):
    """A reader lost its connection while the way back was cut."""


@dataclass
class Play:
    """A run has a name of its own, which its keys begin with."""

    sites: Sites
    run: str
    delete: str
    dice: random.Random
    heard: dict[str, set[str]] = field(init=False)
    """Site -> the writes of this run that are applied there."""
    writes: list[Write] = field(default_factory=list)
    expected: list[list[str]] = field(default_factory=list)
    counts_records: bool = False
    """Does the file say that nothing is on record?"""

    def __post_init__(self) -> None:
        self.heard = {name: set() for name in self.sites.names}
        self.table = name_of(self.delete)
        self.relation = Identifier(SCHEMA, self.table)

    def play(self, steps: Sequence[list[str]], *, kill: bool) -> None:
        """Take the steps, and let the rest come in: line by line, or all at once and one applier killed meanwhile."""
        self.counts_records = any(words[:2] == ["on", "record"] and words[-1] == "nothing" for words in steps)
        for name in self.sites.names:
            until(f"{name} hears all others", lambda: self.sites.value(name, READS) == len(self.heard) - 1)  # noqa: B023
        self.sites.stack.wan.cut()
        for words in steps:
            self.step(words)
        if not kill:
            self.hear_the_rest()
        self.sites.stack.wan.heal()
        if kill:
            self.sites.stack.kill(f"{self.dice.choice(self.sites.names)}-apply")

    def step(self, words: list[str]) -> None:
        """Take one step."""
        match words:
            case ["by", _] | ["on", "running", "sites"] | ["clock", _]:
                pass  # time passes by itself
            case ["everybody", "hears", "everything"]:
                self.hear_all()
            case ["everywhere" | "on", *_]:
                self.expected.append(words)
            case [site, "hears", other]:
                self.hear(site, other)
            case [site, ("inserts" | "sets" | "deletes") as verb, key, *values]:
                self.write(site, OPS[verb], key, typed_values(values))
            case [site, *_]:
                self._see_to(site, words)

    def _see_to(self, site: str, words: list[str]) -> None:
        """What concerns one site alone."""
        match words[1:]:
            case ["shows" | "lacks", *_]:
                require_now(site, words, self.rows(site))
            case ["has", "set", "aside", key]:
                until(f"{site} has set {key} aside", lambda: key in self.refused(site))
            case ["vacuums"]:
                self.sites.run(site, f"VACUUM (FREEZE) {SCHEMA}.{self.table}")
            case ["refuses" | "takes" as verb, value]:
                self.constrain(site, verb, value)
            case _:
                raise ValueError(f"no such step: {' '.join(words)}")

    # -- hearing -------------------------------------------------------------------------------------------------------

    def hear_all(self) -> None:
        """Over all lines at once, in whatever order it comes."""
        self.sites.stack.wan.heal()
        for reader, origin in permutations(self.sites.names, 2):
            self._await(reader, origin)
        self.sites.stack.wan.cut()

    def hear_the_rest(self) -> None:
        """Line by line, in an order of the dice. A reader that is lost now hears the rest when all is healed."""
        lines = list(permutations(self.sites.names, 2))
        self.dice.shuffle(lines)
        with suppress(LineLostError):
            for reader, origin in lines:
                if not self._written(origin) <= self.heard[reader]:
                    self.sites.stack.wan.heal(Lines(sender=origin, receiver=reader))
                    self._await(reader, origin)

    def hear(self, reader: str, origin: str) -> None:
        """Let all through that the origin's users have written so far."""
        line = Lines(sender=origin, receiver=reader)
        self.sites.stack.wan.heal(line)
        self._await(reader, origin)
        self.sites.stack.wan.cut(line)

    def _await(self, reader: str, origin: str) -> None:
        wanted = self._written(origin)
        until(f"{reader} has heard {origin}", lambda: self._has_heard(reader, origin, wanted), 60, self.sites.logs)
        self.heard[reader] |= wanted

    def _written(self, origin: str) -> set[str]:
        return {write.id for write in self.writes if write.site == origin}

    def _has_heard(self, reader: str, origin: str, wanted: set[str]) -> bool:
        if wanted <= self.witness(reader):
            return True
        state = self.sites.value(reader, "SELECT state FROM kuroshio.reading WHERE origin = %s", (origin,))
        if state != "running":
            raise LineLostError(f"{reader} does not read {origin}: {state}")
        return False

    def witness(self, site: str) -> set[str]:
        """The writes of this run that a user of this site can read."""
        return {name for (name,) in self.sites.run(site, f"SELECT id FROM {WITNESS} WHERE run = %s", (self.run,))}

    # -- writing -------------------------------------------------------------------------------------------------------

    def write(self, site: str, op: str, key: str, typed: Values) -> None:
        """One transaction, all of it in one snapshot; again where apply was at the row meanwhile."""
        if self.counts_records and self._overwrites(site, op, f"{self.run}/{key}", typed):
            self._await_message(site)
        connection = self.sites.session(site)
        for _ in range(ATTEMPTS):
            try:
                with connection.transaction():
                    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                    self.writes.append(self._write(connection, site, op, f"{self.run}/{key}", typed))
                break
            except psycopg.errors.SerializationFailure:
                continue
        self.heard[site].add(self.writes[-1].id)

    def _overwrites(self, site: str, op: str, key: str, typed: Values) -> bool:
        """Does it write over another site's edit?"""
        edits = [write for write in self.writes if write.op == "update" and write.key == key and write.site != site]
        return any(op == "delete" or any(map(write.writes, typed)) for write in edits)

    def _await_message(self, site: str) -> None:
        """Until the site's next message will say that it has what it has heard by now: what it has is looked at once a
        second, and a message says what was so before the one before it. Who writes sooner is taken for one who had not
        seen it (`replication/capture/vectors.py`), and a conflict too many is on record."""
        fresh = "SELECT updated_at > %s + interval '0.2 s' FROM kuroshio.capture"
        heard_at = self.sites.value(site, "SELECT clock_timestamp()")
        until(f"{site} has looked", lambda: self.sites.value(site, fresh, (heard_at,)))
        behind = mark(self.sites.session(site))
        passed = "SELECT live_lsn - '0/0' > %s FROM kuroshio.capture"
        until(f"{site} has spoken", lambda: self.sites.value(site, passed, (behind.lsn,)))

    def _write(self, connection: Connection, site: str, op: str, key: str, typed: Values) -> Write:
        found = dict(connection.execute(SEEN, {"table": self.table, "run": self.run}).fetchall())
        assert found.keys() == self.heard[site], f"{site} has heard {found.keys()}, and was told {self.heard[site]}"
        seen = frozenset(name for name, waits in found.items() if not waits)
        before = self._row(connection, key)
        done = connection.execute(self._statement(op, typed), [*typed.values(), key])
        assert done.rowcount == 1, f"{site}: nothing to {op} at {key}"
        name = f"{self.run} {len(self.writes) + 1}"
        witness = f"INSERT INTO {WITNESS} VALUES (%s, %s, %s, %s, %s)"
        connection.execute(witness, (name, self.run, site, key, op))
        return Write(name, site, op, key, seen, before, self._row(connection, key))  # type: ignore[arg-type]

    def _statement(self, op: str, typed: Values) -> Composed:
        names = [Identifier(name) for name in typed]
        if op == "insert":
            columns, holes = SQL(", ").join([*names, Identifier("id")]), SQL(", ").join([SQL("%s")] * (len(names) + 1))
            return SQL("INSERT INTO {} ({}) VALUES ({})").format(self.relation, columns, holes)
        if op == "update":
            settings = SQL(", ").join(SQL("{} = %s").format(name) for name in names)
            return SQL("UPDATE {} SET {} WHERE id = %s").format(self.relation, settings)
        return SQL("DELETE FROM {} WHERE id = %s").format(self.relation)

    def _row(self, connection: Connection, key: str) -> dict[str, Value]:
        query = SQL("SELECT {} FROM {} WHERE id = %s").format(self._columns(), self.relation)
        row = connection.execute(query, (key,)).fetchone()
        return dict(zip(COLUMNS, row, strict=True)) if row else {}

    @staticmethod
    def _columns() -> Composed:
        return SQL(", ").join(SQL("{}::text").format(Identifier(name)) for name in COLUMNS)

    # -- a site that refuses -------------------------------------------------------------------------------------------

    def constrain(self, site: str, verb: str, value: str) -> None:
        """A CHECK for what is written from now on, or none."""
        [(column, text)] = typed_values([value]).items()
        table = f"ALTER TABLE {SCHEMA}.{self.table}"
        self.sites.run(site, f"{table} DROP CONSTRAINT IF EXISTS refused")
        if verb == "refuses":
            check = f"CHECK ({column} IS DISTINCT FROM '{text}') NOT VALID"
            self.sites.run(site, f"{table} ADD CONSTRAINT refused {check}")

    def refused(self, site: str) -> set[str]:
        """The keys that a site has set aside."""
        query = "SELECT split_part(key[1], '/', 2) FROM kuroshio.parked WHERE reason = 'refused' AND relname = %s"
        return {key for (key,) in self.sites.run(site, query, (self.table,))}

    # -- the end -------------------------------------------------------------------------------------------------------

    def rows(self, site: str) -> Rows:
        """What a reader sees, by the file's keys."""
        query = SQL("SELECT split_part(id, '/', 2), {} FROM {} WHERE starts_with(id, %s)")
        found = self.sites.session(site).execute(query.format(self._columns(), self.relation), (f"{self.run}/",))
        return {key: dict(zip(COLUMNS, values, strict=True)) for key, *values in found}

    def states(self, site: str) -> list[tuple[Any, ...]]:
        """The run's rows with their stamps and parts; what the last writer had seen differs by site."""
        columns = "(to_jsonb(t) - 'kuroshio')::text, t.kuroshio[1:1] || t.kuroshio[3:]"
        query = f"SELECT {columns} FROM {SCHEMA}.{self.table} t WHERE starts_with(id, %s) ORDER BY id"
        return self.sites.run(site, query, (f"{self.run}/",))

    def require(self) -> None:
        """The file's expectations, and the referee's verdict."""
        rows = {site: self.rows(site) for site in self.sites.names}
        records, lost = self.records()
        require(self.expected, list(rows.items()), records)
        writes = [self._told(write) for write in self.writes]
        assert judge(declared(self.delete), writes, End(rows, lost)) == []

    def records(self) -> tuple[set[Recorded], set[Record]]:
        """What is on record at some site: as the files count it, and as the referee is told."""
        found = {
            row for site in self.sites.names for row in self.sites.run(site, RECORDS, (self.table, f"{self.run}/"))
        }
        told = {Record(key, column, value) for key, _, column, _, _, value in found}
        return {(key, kind, column, winner, loser) for key, kind, column, winner, loser, _ in found}, told

    @staticmethod
    def _told(write: Write) -> Write:
        """By the file's key."""
        return Write(write.id, write.site, write.op, write.key.partition("/")[2], write.seen, write.before, write.after)

"""Puts a snapshot into a site that is closed (``closing``), and opens it again.

1. The file is checked from end to end before anything of it is used.
2. The donor must have had all that was written here, and all that this site has applied: a site never goes back behind
   what it has said of itself (a tombstone was dropped because of it).
3. Each chunk and its number are one transaction, so a kill loses no more than that; positions, and the opening, are the
   last ones. Who reads meanwhile sees what is loaded so far.
4. What is loaded is written as apply writes: it is never captured (invariant 5).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import BinaryIO

import psycopg

from replication.audience import view_for
from replication.core.changes import Author
from replication.core.progress import format_lsn, parse_lsn
from replication.definitions import row_rules
from replication.errors import DecodeError, TransientError, UsageError
from replication.keys import verifier
from replication.postgres import applying, capturing, closing, snapshot
from replication.postgres.catalog import Table, describe
from replication.postgres.closing import Closed
from replication.postgres.connect import Connection, connect
from replication.postgres.enlist import raise_sequences
from replication.snapshot import format as snapshots
from replication.snapshot import keeping
from replication.snapshot.format import Chunk, Contents, Part
from sitecfg import Config, Site

_APPLY_SECONDS = 60.0
_POLL_SECONDS = 0.2
Progress = Callable[[int], None]
"""Told how many bytes of the file are loaded."""


def lacking(
    covered: Mapping[str, int], site: str, closed: Closed, known: Mapping[str, int], claims: Mapping[str, str]
) -> list[str]:
    """What a donor that stands at these positions has not had, in words: of what was written at the closed site, and of
    what was ``known`` there, by the site itself or by its ``claims`` as the donor knows them."""
    found = []
    known = {origin: max(known.get(origin, 0), parse_lsn(claims.get(origin, "0/0"))) for origin in {*known, *claims}}
    if covered.get(site, 0) < closed.lsn:
        found.append(f"what was written at {site}, up to {format_lsn(closed.lsn)}")
    for origin, lsn in sorted(known.items()):
        if origin != site and covered.get(origin, 0) < lsn:
            found.append(f"what {site} has applied of {origin}, up to {format_lsn(lsn)}")
    return found


class Seeding:
    """The seeding of one site from one file; may be run again after a kill."""

    def __init__(self, config: Config, site: Site, file: BinaryIO, *, keeps_since_us: int | None = None) -> None:
        """Checks the file. ``keeps_since_us``: what was written at the site from then on may be nowhere else, and is
        set aside (`keeping`); None: the donor must have all of it."""
        self._keeps_since_us = keeps_since_us
        self._config = config
        self._site = site
        self._file = file
        self.contents: Contents = snapshots.check(file, verifier(config, site))

    def run(self, progress: Progress) -> None:
        """Load what is not loaded yet. The site stays closed (`open_site`)."""
        with connect(self._site.dsn(), name="seed") as connection:
            state = closing.close(connection)
            _become_writer(connection)
            self._require_fit(connection, state)
            tables = self._tables(connection)
            if state.token != self.contents.header.token:
                self._begin(connection, list(tables.values()), is_first=not state.token)
                state = Closed(state.lsn, self.contents.header.token, 0)
            for chunk in snapshots.chunks(self._file, self.contents, state.chunk):
                self._load(connection, tables, chunk)
                progress(chunk.end)
            self._complete(connection, tables)

    def _require_fit(self, connection: Connection, state: Closed) -> None:
        header, own = self.contents.header, self._site.name
        if header.donor == own:
            raise UsageError(f"the snapshot is of {own} itself: take one of another site")
        view = view_for(self._config.rules, own).name
        if header.view != view:
            raise UsageError(
                f"{header.donor} does not receive the same rows and columns as {own} (python -m sitecfg rules):"
                " take the snapshot at a site that does"
            )
        covered = {origin: parse_lsn(place["lsn"]) for origin, place in header.positions.items()}
        if self._keeps_since_us is not None:
            state = replace(state, lsn=0)
        if missing := lacking(covered, own, state, closing.known(connection), header.claims.get(own, {})):
            raise UsageError(
                f"when the snapshot was taken {header.donor} had not had {'; '.join(missing)}. {own} is closed"
                " now: take a snapshot again when that has arrived there (python -m replication status), and run this"
                " with it"
            )

    def _tables(self, connection: Connection) -> dict[str, Table]:
        """The tables here that are to take the snapshot's parts."""
        parts = [part for part in self.contents.header.parts if not part.is_own]
        here = closing.replicated(connection)
        named = {(part.schema, part.name) for part in parts}
        if missing := sorted(named.difference(here)):
            names = " ".join(".".join(name) for name in missing)
            raise UsageError(f"not under replication here: run python -m replication add-table {names}")
        if more := sorted(set(here).difference(named)):
            raise UsageError(
                f"{'.'.join(more[0])} is under replication here and not in the snapshot: add it there first"
            )
        return {str(part): _fitting(connection, part) for part in parts}

    def _begin(self, connection: Connection, tables: list[Table], *, is_first: bool) -> None:
        """Where another snapshot was begun before, what is there is that one's."""
        with connection.transaction():
            if is_first and self._keeps_since_us is not None:
                author = author_at(connection, self._site)
                for table in tables:
                    rules = row_rules(table, self._config.rules)
                    keeping.set_aside(connection, table, rules, author, self._keeps_since_us)
            snapshot.empty(connection, [table.qualified for table in tables])
            closing.record(connection, self.contents.header.token, 0)

    def _load(self, connection: Connection, tables: Mapping[str, Table], chunk: Chunk) -> None:
        parts = self.contents.header.parts
        if chunk.part >= len(parts):
            raise DecodeError(f"chunk {chunk.number} of the snapshot is of no part of it")
        part, text = parts[chunk.part], chunk.text()
        with connection.transaction():
            if part.is_own:
                _require_known(part)
                snapshot.put_own(connection, part.name, part.columns, text)
            else:
                table = tables[str(part)]
                columns = [table.renamed.get(name, name) for name in part.columns]
                snapshot.put(connection, part.schema, part.name, columns, text)
            closing.record(connection, self.contents.header.token, chunk.number)

    def _complete(self, connection: Connection, tables: Mapping[str, Table]) -> None:
        """Stand where the donor stood."""
        header = self.contents.header
        with connection.transaction():
            for part in header.parts:
                if not part.is_own:
                    table = tables[str(part)]
                    snapshot.inherit(connection, table.qualified, part.dropped, part.derived)
                    raise_sequences(connection, table, self._site.number)
            known = {name: place for name, place in header.positions.items() if name in self._site.peers}
            snapshot.stand(connection, known)
        connection.execute("ANALYZE")


def author_at(connection: Connection, site: Site) -> Author:
    """This site as the author of what was written here until now."""
    lsn = capturing.sample(connection)[1]
    return Author(site.name, site.number, lsn, lsn, {})


def open_site(config: Config, site: Site, passed_us: int = 0) -> tuple[int, int]:
    """Let everybody write at a site that is seeded; return of how many rows the site's own changes were brought back,
    and of how many that nobody knows any more. ``passed_us``: see `keeping.bring_back`."""
    sites = [name for name in config.sites if name != site.name]
    with connect(site.dsn(), name="seed") as connection:
        with connection.transaction():
            author, counts = author_at(connection, site), list[tuple[int, int]]()
            for name in closing.replicated(connection):
                table = describe(connection, *name)
                rules = row_rules(table, config.rules)
                counts.append(keeping.bring_back(connection, table, rules, author, sites, passed_us))
            closing.reopen(connection)
        closing.clear(connection)
    return sum(back for back, _ in counts), sum(lost for _, lost in counts)


def _fitting(connection: Connection, part: Part) -> Table:
    table = describe(connection, part.schema, part.name)
    if lacking := sorted(set(part.columns).difference(snapshot.columns_of(table))):
        raise UsageError(f"{table} has no column {', '.join(lacking)} here: bring it to the donor's form first")
    return table


def _require_known(part: Part) -> None:
    if snapshot.OWN.get(part.name) != part.columns:
        raise UsageError(f"the snapshot holds kuroshio.{part.name} in another form: seed with the donor's release")


def await_apply(site: Site) -> None:
    """Wait until apply has ended at a closed site: what it had is what it has from then on."""
    with connect(site.dsn(), name="seed") as connection:
        _become_writer(connection)


def _become_writer(connection: Connection) -> None:
    """Take the place of apply, which ends when it sees that the site is closed."""
    deadline = time.monotonic() + _APPLY_SECONDS
    while True:
        try:
            applying.become_writer(connection)
        except psycopg.errors.ObjectInUse:
            if time.monotonic() > deadline:
                raise TransientError("apply does not end: stop it, and run this again") from None
            time.sleep(_POLL_SECONDS)
        else:
            return

"""Running sites as the proofs see them: statements at any, tables put under replication, and whether all are equal."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from deploy.local.layout import ROOT
from deploy.local.programs import DAEMONS
from deploy.local.stack import Stack
from tests.stack.stack import running_stack

Row = tuple[Any, ...]
Held = TypeVar("Held")
PATIENCE_SECONDS = 60.0

_DIGEST = """
SELECT count(*), md5(coalesce(string_agg(digest, '' ORDER BY digest), ''))
  FROM (SELECT md5((to_jsonb(t) - 'kuroshio')::text || (t.kuroshio[1:1] || t.kuroshio[3:])::text) AS digest
          FROM {} t) d"""


class Sites:
    """A stack that is up, with one session a site for the test's own statements."""

    def __init__(self, stack: Stack, names: Iterable[str] = ()) -> None:
        """`names`: those of them that the test is about; all, if none is named."""
        self.stack = stack
        self.names = list(names or stack.config.sites)
        self._sessions: dict[str, psycopg.Connection[Row]] = {}

    def connect(self, site: str) -> psycopg.Connection[Row]:
        """A session of the caller's own, autocommitting."""
        return psycopg.connect(self.stack.site(site).dsn(), autocommit=True, connect_timeout=5)

    def session(self, site: str) -> psycopg.Connection[Row]:
        """The shared session; a new one where the last one broke."""
        known = self._sessions.get(site)
        if known is None or known.closed:
            known = self._sessions[site] = self.connect(site)
        return known

    def run(self, site: str, query: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Run one statement (or several without parameters) and return its rows, if it has any."""
        cursor = self.session(site).execute(query, parameters or None)
        return cursor.fetchall() if cursor.description else []

    def value(self, site: str, query: str, parameters: Sequence[object] = ()) -> Any:
        """The one value that a statement returns."""
        [(value,)] = self.run(site, query, parameters)
        return value

    def everywhere(self, query: str) -> None:
        for site in self.names:
            self.run(site, query)

    def replication(self, *arguments: str, seconds: float = 120) -> "subprocess.CompletedProcess[str]":
        """A command of `python -m replication`."""
        command = [sys.executable, "-m", "replication", *arguments, "--config", str(self.stack.config.directory)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)

    def add_tables(self, *names: str) -> None:
        done = self.replication("add-table", *names)
        assert done.returncode == 0, done.stdout + done.stderr

    def digest(self, site: str, table: str) -> Row:
        """How many rows, and one digest over their data and stamps."""
        [row] = self.run(site, _DIGEST.format(table))
        return row

    def converge(self, *tables: str, seconds: float = PATIENCE_SECONDS, sites: Iterable[str] | None = None) -> None:
        """Wait until these tables are equal at all these sites; what differs is told."""
        names = list(sites or self.names)
        for table in tables:
            until(
                f"{table} is equal at {', '.join(names)}",
                lambda: len({self.digest(name, table) for name in names}) == 1,  # noqa: B023
                seconds,
                lambda: self._difference(names, table),  # noqa: B023
            )

    def _difference(self, names: Sequence[str], table: str) -> str:
        lines = [f"{name}: {self.digest(name, table)}, parked {self.parked(name)}" for name in names]
        state = "to_jsonb(t) - 'kuroshio', t.kuroshio[1:1] || t.kuroshio[3:]"
        query = f"SELECT md5(r::text), r::text FROM (SELECT {state} FROM {table} t) r"
        rows: dict[str, dict[str, str]] = {name: dict(self.run(name, query)) for name in names}
        first = rows[names[0]]
        for name in names[1:]:
            mine = [text for key, text in rows[name].items() if key not in first][:3]
            theirs = [text for key, text in first.items() if key not in rows[name]][:3]
            lines += [f"only {name}: {mine}", f"only {names[0]}, not {name}: {theirs}"]
        graves = "SELECT g::text FROM kuroshio.tombstone g WHERE nspname || '.' || relname = %s LIMIT 12"
        lines += [f"{name}: {grave}" for name in names for (grave,) in self.run(name, graves, (table,))]
        return "\n".join([*lines, self.logs()])

    def parked(self, site: str) -> list[Row]:
        query = (
            "SELECT relname, reason, detail, count(*) FROM kuroshio.parked GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT 5"
        )
        return self.run(site, query)

    def wait_and_verify(self, seconds: int = 90) -> None:
        """The operator's own two commands say that all is applied, and equal."""
        waited = self.replication("wait", "--timeout", str(seconds))
        assert waited.returncode == 0, waited.stdout + waited.stderr + self.logs()
        verified = self.replication("verify", "--json")
        assert verified.returncode == 0, verified.stdout + verified.stderr + self.logs()
        assert json.loads(verified.stdout)

    def logs(self) -> str:
        """The daemons' last words, for who reads why a test failed."""
        lines = []
        for path in sorted(self.stack.layout.state.glob("*/log/*.log")):
            if path.stem in DAEMONS:
                lines += [f"--- {path.parent.parent.name} {path.stem}", *path.read_text().splitlines()[-6:]]
        return "\n".join(line[:400] for line in lines)

    def close(self) -> None:
        for session in self._sessions.values():
            session.close()


@contextmanager
def running_sites(
    folder: Path,
    names: Sequence[str],
    rules: str = "",
    create: str = "",
    *,
    skewed: Iterable[str] = (),
    watched: int = 0,
    disk: str = "",
) -> Iterator[Sites]:
    """Sites that are up, with the tables that the rules name, as `create` makes them, under replication."""
    with running_stack(folder, sites=names, rules=rules, skewed=skewed, watched=watched, disk=disk) as stack:
        sites = Sites(stack)
        if rules:
            sites.everywhere(create)
            sites.add_tables(*stack.config.rules.replicated)
        yield sites
        sites.close()


def until(
    what: str,
    holds: Callable[[], Held],
    seconds: float = PATIENCE_SECONDS,
    explain: Callable[[], str] = lambda: "",
) -> Held:
    """Wait with a deadline for what is true, and return it; a site that does not answer yet does not hold yet."""
    end = time.monotonic() + seconds
    while True:
        fault = ""
        try:
            if held := holds():
                return held
        except psycopg.OperationalError as error:
            fault = str(error)
        assert time.monotonic() < end, f"waited {seconds:g} s in vain until {what} {fault}\n{explain()}"
        time.sleep(0.05)

"""Two sites on the local stack as a benchmark uses them: an origin that writes and a peer that reads.

The daemons are those that `make demo` starts, under the same supervisor, with signatures, stamps and guards on.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from deploy.local import contents
from deploy.local.layout import ROOT
from deploy.local.programs import DAEMONS, names
from deploy.local.stack import Stack
from deploy.local.supervisor import wait_until
from replication.events import CAPTURE_STARTED
from sitecfg import Site
from tests.bench import backlog
from tests.bench.backlog import Connection
from tests.stack.stack import running_stack

APPLIED_SECONDS = 300.0
VERIFY_SECONDS = 300


class UnequalError(Exception):
    """`verify` did not say that the sites are equal: there is no figure."""


class Pair:
    """Origin and peer, with a session in each one's database."""

    def __init__(self, stack: Stack, sessions: Sequence[Connection]) -> None:
        self.stack = stack
        self.origin, self.peer = stack.sites
        self.at_origin, self.at_peer = sessions

    def create(self, table: str) -> None:
        """Make the table at both sites and put it under replication."""
        for connection in (self.at_origin, self.at_peer):
            backlog.create(connection, table)
        contents.run(self.stack.config, [*contents.REPLICATION, "add-table", f"public.{table}"])

    # -- daemons ------------------------------------------------------------------------------------------------------

    def stop_daemons(self) -> None:
        """Stop capture and apply at both sites."""
        self.stack.stop(*names(self.stack.config, *DAEMONS))

    def start_daemons(self) -> float:
        """Start them, the origin's capture last; returns when (`time.time`) that began to read its slot."""
        last = f"{self.origin.name}-capture"
        since = datetime.now(UTC)
        self.stack.start(*(name for name in names(self.stack.config, *DAEMONS) if name != last))
        wait_until("the peer listens", lambda: self._peer_reads(since), 60)
        began = datetime.now(UTC)
        self.stack.start(last)
        return self._capture_started(began).timestamp()

    def _peer_reads(self, since: datetime) -> bool:
        query = "select from kuroshio.reading where origin = %s and state = 'running' and updated_at > %s"
        return self.at_peer.execute(query, (self.origin.name, since)).fetchone() is not None

    def _capture_started(self, since: datetime) -> datetime:
        """When START_REPLICATION was answered, by capture's own log: before the first byte."""
        log = self.stack.layout.log(self.origin.name) / "capture.log"
        found: list[datetime] = []

        def says_so() -> bool:
            found[:] = [moment for moment in _moments(log, CAPTURE_STARTED) if moment >= since]
            return bool(found)

        wait_until("capture reads its slot", says_so, 60)
        return found[0]

    # -- waiting ------------------------------------------------------------------------------------------------------

    def await_applied(self, lsn: str, seconds: float = APPLIED_SECONDS) -> float:
        """Wait until the peer has committed all that the origin had by this LSN; returns when it had."""
        query = "select from kuroshio.position where origin = %s and lsn >= %s::pg_lsn"
        parameters = (self.origin.name, lsn)
        return backlog.clocked(lambda: self.at_peer.execute(query, parameters).fetchone() is not None, seconds)

    def await_captured(self) -> None:
        """Wait until the origin's broker has all that is committed there now."""
        query, lsn = "select from kuroshio.capture where live_lsn >= %s::pg_lsn", backlog.end_of_wal(self.at_origin)
        wait_until(
            "capture has read the backlog",
            lambda: self.at_origin.execute(query, (lsn,)).fetchone() is not None,
            APPLIED_SECONDS,
        )

    def settle(self) -> None:
        """Wait until everything is applied and both slots have let go of it."""
        self.await_applied(backlog.end_of_wal(self.at_origin))
        for connection in (self.at_origin, self.at_peer):
            lsn = backlog.end_of_wal(connection)
            wait_until("the slot has let go", lambda: _slot_passed(connection, lsn), APPLIED_SECONDS)  # noqa: B023

    # -- counting -----------------------------------------------------------------------------------------------------

    def wan_bytes(self) -> int:
        """What the emulator has delivered so far between the two sites, both directions."""
        return sum(counter["bytes"] for counter in self.stack.wan.counters().values())

    def verify(self) -> None:
        """Raise UnequalError unless all rows are the same at both sites."""
        command = [sys.executable, *contents.REPLICATION, "verify", "--timeout", str(VERIFY_SECONDS)]
        command += ["--config", str(self.stack.config.directory)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UnequalError(f"verify ended with {done.returncode}:\n{done.stdout}{done.stderr}")


@contextmanager
def running_pair(*, rate: str = "100Mbit") -> Iterator[Pair]:
    """Two sites that are up and hear each other, on private ports; nothing of them stays behind."""
    with tempfile.TemporaryDirectory(prefix="kuroshio-bench-") as folder, ExitStack() as stack:
        running = stack.enter_context(running_stack(Path(folder), sites=("taipei", "us"), rate=rate))
        pair = Pair(running, [stack.enter_context(session(site)) for site in running.sites])
        pair.settle()
        yield pair


def session(site: Site, database: str | None = None) -> Connection:
    """A session that commits each statement."""
    return psycopg.connect(site.dsn(), dbname=database or site.database.name, autocommit=True)


def _slot_passed(connection: Connection, lsn: str) -> bool:
    query = "select from pg_replication_slots where slot_name = 'kuroshio' and confirmed_flush_lsn >= %s::pg_lsn"
    return connection.execute(query, (lsn,)).fetchone() is not None


def _moments(log: Path, event: str) -> Iterator[datetime]:
    """When a daemon logged this event."""
    for line in log.read_text(errors="replace").splitlines():
        if f'"{event}"' in line and line.startswith("{"):
            yield datetime.fromisoformat(json.loads(line)["timestamp"])

"""Two private PostgreSQL clusters, as the local stack makes them, and fresh databases in them for each test.

Databases are never dropped: DROP DATABASE waits for every process of the cluster to take note, and pglogical's
supervisor does not. They go with the clusters.
"""

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from deploy.local import credentials, postgres
from deploy.local.layout import Layout, local_of
from replication.initialising import initialise_site
from replication.postgres.catalog import Table, describe
from replication.postgres.connect import Connection, connect
from replication.postgres.enlist import enlist
from sitecfg import Config, load
from sitecfg.example import write
from tests.stack.stack import private_ports

SITES = ("alpha", "beta")
START_SECONDS = 60
_databases = count(1)
_schemas = count(1)


@dataclass(frozen=True)
class Servers:
    """The running clusters."""

    folder: Path
    base_port: int

    def database(self, *, rules: str = "", initialised: bool = True) -> Config:
        """A configuration whose sites each have a fresh database, of the same name."""
        name = f"test_{next(_databases)}"
        config = self._config(name, rules)
        for site in config.sites.values():
            postgres.provide(site, Layout(local_of(config).state).secret(f"{site.name}.app"))
            if initialised:
                initialise_site(site)
        return config

    def _config(self, name: str, rules: str = "") -> Config:
        folder = self.folder / name
        write(folder, sites=SITES, base_port=self.base_port, state=self.folder, rules=rules, database=name)
        return load(folder)

    @contextmanager
    def running(self) -> Iterator["Servers"]:
        """Start both clusters; they are ended afterwards."""
        config = self._config("postgres")
        layout = Layout(self.folder)
        layout.make(list(SITES))
        credentials.make(config, layout)
        with ExitStack() as stack:
            for site in config.sites.values():
                postgres.configure(site, layout)
                postgres.initialise(site, layout)
                with (layout.log(site.name) / "postgres.log").open("w") as log:
                    command = [*postgres.command(site, layout, {}), "-c", "fsync=off"]  # thrown away in the end
                    server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
                stack.callback(_end, server)
                _until_ready(config, site.name)
            yield self


def _until_ready(config: Config, name: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not postgres.is_ready(config.sites[name]):
        assert time.monotonic() < deadline, f"PostgreSQL of {name} does not answer"
        time.sleep(0.05)


def _end(server: "subprocess.Popen[bytes]") -> None:
    server.send_signal(signal.SIGINT)  # a fast shutdown: a smart one waits for pglogical's workers
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait(10)


@contextmanager
def private_servers(folder: Path) -> Iterator[Servers]:
    """Two clusters on ports that nobody else uses."""
    with private_ports() as base_port, Servers(folder, base_port).running() as servers:
        yield servers


class Pair:
    """A database at each of two sites, a session in each, and a schema of the test's own."""

    def __init__(self, config: Config, stack: ExitStack) -> None:
        self.config = config
        self.sessions = {
            site.name: stack.enter_context(connect(site.dsn(), name="test")) for site in config.sites.values()
        }
        self.alpha, self.beta = self.sessions.values()
        self.schema = f"s{next(_schemas)}"
        self.everywhere(f"CREATE SCHEMA {self.schema}")

    def everywhere(self, statement: str) -> None:
        """Run at both sites, with the test's schema first in the path."""
        for session in self.sessions.values():
            self.run(session, statement)

    def run(
        self, session: Connection, statement: str, parameters: Sequence[object] | Mapping[str, object] | None = None
    ) -> list[tuple[object, ...]]:
        """Run one statement as an application would; returns its rows."""
        session.execute(f"SET search_path = {self.schema}, public".encode())
        cursor = session.execute(statement.encode(), parameters)
        return cursor.fetchall() if cursor.description else []

    def enlist(self, name: str, rules: dict[str, object] | None = None, *, send: bool = False) -> Table:
        """Put a table under replication at both sites as it is."""
        for number, session in enumerate(self.sessions.values(), 1):
            table = describe(session, self.schema, name)
            enlist(
                session, table, number, {"owner": None, "delete": "stamp", "columns": {}, **(rules or {})}, 0, send=send
            )
        return table


@contextmanager
def as_applied(session: Connection) -> Iterator[None]:
    """What is written meanwhile is neither stamped nor captured: as apply writes."""
    name = "kuroshio_test"
    session.execute("SELECT pg_replication_origin_create(%s) WHERE pg_replication_origin_oid(%s) IS NULL", (name, name))
    session.execute("SELECT pg_replication_origin_session_setup(%s)", (name,))
    try:
        yield
    finally:
        session.execute("SELECT pg_replication_origin_session_reset()")

"""pglogical's own subscription between the same two clusters, in databases of its own: what we are compared with.

The table is the same without our column and triggers. The subscriber's connection passes a WAN relay, which counts.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from psycopg import sql
from psycopg.conninfo import make_conninfo

from deploy.local.layout import ROOT, is_taken, local_of
from deploy.local.supervisor import wait_until
from deploy.local.wan.client import WanClient
from sitecfg import Site
from tests.bench import backlog
from tests.bench.backlog import Connection
from tests.bench.pair import Pair, UnequalError, session

DATABASE = "plain"
SUBSCRIPTION = "bench"
APPLIED_SECONDS = 300.0
LOOPBACK = "127.0.0.1"
PASSED = "select from pg_replication_slots where database = %s and confirmed_flush_lsn >= %s::pg_lsn"
IDLE = "select from pg_replication_slots where database = %s and not active"


class Subscription:
    """Provider and subscriber; the subscription is disabled but while something asks for it."""

    def __init__(self, provider: Connection, subscriber: Connection, relay: WanClient) -> None:
        self.provider = provider
        self.subscriber = subscriber
        self._relay = relay

    def create(self, table: str) -> None:
        """Make the table at both ends and replicate it."""
        for connection in (self.provider, self.subscriber):
            backlog.create(connection, table)
        self.provider.execute("select pglogical.replication_set_add_table('default', %s::regclass)", (table,))

    def settle(self) -> None:
        """Let it read what lies behind it, and disable it again."""
        self.catch_up(backlog.end_of_wal(self.provider))

    def catch_up(self, lsn: str) -> float:
        """Seconds from enabling until the slot is confirmed up to this LSN; disabled afterwards."""
        begun = time.time()
        self.subscriber.execute("select pglogical.alter_subscription_enable(%s, true)", (SUBSCRIPTION,))
        passed = backlog.clocked(
            lambda: self.provider.execute(PASSED, (DATABASE, lsn)).fetchone() is not None, APPLIED_SECONDS
        )
        self._disable()
        return passed - begun

    def _disable(self) -> None:
        self.subscriber.execute("select pglogical.alter_subscription_disable(%s, true)", (SUBSCRIPTION,))
        wait_until(
            "the subscription is disabled",
            lambda: self.provider.execute(IDLE, (DATABASE,)).fetchone() is not None,
            60,
        )

    def wan_bytes(self) -> int:
        """What the relay has delivered so far, both directions."""
        return sum(counter["bytes"] for counter in self._relay.counters().values())

    def require_equal(self, table: str) -> None:
        """Raise UnequalError unless the table is the same at both ends."""
        query = sql.SQL("select count(*), md5(string_agg(t::text, '' order by id)) from {} t").format(
            sql.Identifier(table)
        )
        found = [connection.execute(query).fetchone() for connection in (self.provider, self.subscriber)]
        if found[0] != found[1]:
            raise UnequalError(f"pglogical: {table} differs: {found}")


@contextmanager
def subscription(pair: Pair) -> Iterator[Subscription]:
    """A subscription of the peer's cluster to the origin's, disabled."""
    with ExitStack() as stack:
        relay_port = local_of(pair.stack.config).wan_control_port + 1  # the example's ports end before
        relay = stack.enter_context(_relay(pair.origin, relay_port))
        connections = []
        for site in (pair.origin, pair.peer):
            _make_database(site)
            connections.append(stack.enter_context(session(site, DATABASE)))
            _make_node(connections[-1], site)
        made = Subscription(connections[0], connections[1], relay)
        provider = make_conninfo(pair.origin.dsn(), dbname=DATABASE, host=LOOPBACK, port=relay_port)
        made.subscriber.execute(
            "select pglogical.create_subscription(%s, %s, array['default'], false, false)", (SUBSCRIPTION, provider)
        )
        wait_until("pglogical replicates", lambda: _replicates(made.subscriber), 60)
        made._disable()
        yield made


@contextmanager
def _relay(origin: Site, port: int) -> Iterator[WanClient]:
    """A WAN emulator of its own before the origin's PostgreSQL."""
    target = f"{origin.database.host}:{origin.database.port}"
    command = [sys.executable, "-m", "deploy.local.wan", "--listen", str(port), "--target", target]
    running = subprocess.Popen([*command, "--control", str(port + 1)], cwd=ROOT)
    try:
        wait_until("the relay listens", lambda: is_taken(port) and is_taken(port + 1), 20)
        yield WanClient((LOOPBACK, port + 1), ("client", "server"))
    finally:
        running.terminate()
        running.wait(20)


def _make_database(site: Site) -> None:
    with session(site) as connection:
        connection.execute(
            sql.SQL("create database {} template template0 encoding 'UTF8' locale 'C.UTF-8'").format(
                sql.Identifier(DATABASE)
            )
        )


def _make_node(connection: Connection, site: Site) -> None:
    connection.execute("create extension pglogical")
    connection.execute("select pglogical.create_node(%s, %s)", (site.name, make_conninfo(site.dsn(), dbname=DATABASE)))


def _replicates(subscriber: Connection) -> bool:
    row = subscriber.execute("select status from pglogical.show_subscription_status()").fetchone()
    return row == ("replicating",)

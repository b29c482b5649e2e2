"""The control daemon: answers its peers in one thread, and looks after this site's own questions in another.

It is a program of its own, in a role of its own. What it reads from peers never reaches the process that may write
rows, and whatever it is busy with, changes go on being captured and applied.
"""

import threading
import time
from functools import partial

import psycopg

from replication import events, metrics
from replication.broker.bus import serve
from replication.clock import pause
from replication.control.answering import Answerer
from replication.control.asking import Peers, peers_of
from replication.control.verifying import look
from replication.errors import BrokerUnavailable, RulesUnknownError
from replication.keys import signer, verifier
from replication.postgres import verifications
from replication.postgres.connect import Connection, connect
from replication.postgres.parameters import register
from replication.postgres.verifications import Cycle
from replication.repair.serving import Resending
from replication.threads import die_together
from replication.verify.serving import Tables
from sitecfg import Config, Site, load

_PAUSE_SECONDS = 1.0
_DUE_SECONDS = 2.0
_LOOK_AT_FILES_SECONDS = 60.0


def run(config: Config, site: Site) -> None:
    """Answer and ask until the process is ended."""
    die_together()
    if site.metrics.control_port:
        metrics.serve(site.metrics.control_port, metrics.CONTROL)
    threading.Thread(target=_answer_for_ever, args=(config, site), daemon=True).start()
    events.logger().info(events.CONTROL_STARTED, peers=sorted(site.peers))
    while True:
        try:
            with _connect(site, "control") as connection, peers_of(config, site) as peers:
                _look_for_ever(connection, config, site, peers)
        except psycopg.Error as fault:
            events.logger().warning(events.CONTROL_INTERRUPTED, reason=str(fault).splitlines()[0])
        pause(_PAUSE_SECONDS)


def _connect(site: Site, name: str) -> Connection:
    connection = connect(site.dsn("control"), name=name)
    register(connection)
    return connection


def _answer_for_ever(config: Config, site: Site) -> None:
    while True:
        try:
            with _connect(site, "control answers") as connection:
                connection.execute("SET statement_timeout = '60s'")
                answer = answerer_for(config, site, connection)
                serve(site.broker_url(), site.name, answer, lambda: not connection.closed)
        except (BrokerUnavailable, psycopg.Error) as fault:
            events.logger().warning(events.CONTROL_INTERRUPTED, reason=str(fault).splitlines()[0])
        pause(_PAUSE_SECONDS)


def answerer_for(config: Config, site: Site, connection: Connection) -> Answerer:
    """All that a site answers: its services, by what is asked."""
    tables, resending = Tables(connection, config, site), Resending(connection, config)
    services = {
        "table": tables.table,
        "parts": tables.parts,
        "states": tables.states,
        "positions": tables.positions,
        "resend": resending.resend,
    }
    count = partial(verifications.count_letter, connection)
    return Answerer(site.name, site.peers, signer(site), verifier(config, site), services, count)


def _look_for_ever(connection: Connection, config: Config, site: Site, peers: Peers) -> None:
    """Look at what is due, one table of one peer after another; the lines rest while nothing is."""
    cycle, next_files = Cycle(site.limits.verify_hours), 0.0
    while True:
        if time.monotonic() >= next_files:
            next_files = time.monotonic() + _LOOK_AT_FILES_SECONDS
            _require_same_rules(config)
        due = verifications.next_due(connection, list(site.peers), cycle)
        if due is None:
            peers.rest()
            pause(_DUE_SECONDS)
        else:
            look(connection, config, site, peers, *due)


def _require_same_rules(config: Config) -> None:
    """End where the rules in the files are others than this process has read, to be started again with them."""
    if load(config.directory).rules.version != config.rules.version:
        raise RulesUnknownError(
            "the rules were changed since this program has read them: it ends, and reads them again"
        )

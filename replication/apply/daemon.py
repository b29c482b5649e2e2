"""The apply daemon: a reader thread for each peer, and the writer in the main thread."""

from functools import partial

import psycopg

from replication import events, metrics
from replication.apply.reader import Link, Reader
from replication.apply.writer import Writer
from replication.audience import view_for
from replication.clock import pause
from replication.errors import TransientError
from replication.keys import verifier
from replication.postgres.applying import Reading
from replication.threads import die_together
from sitecfg import Config, Site

_OPEN_PAUSE_SECONDS = 1.0


def run(config: Config, site: Site) -> None:
    """Apply until the process is ended."""
    die_together()
    metrics.expect(site.peers)
    metrics.serve(site.metrics.apply_port, metrics.APPLY)
    verify = verifier(config, site)
    view = view_for(config.rules, site.name)
    readings = {peer: Reading(peer) for peer in site.peers}
    writer = Writer(config, site, list(readings.values()))
    _open(writer)
    for peer, line in site.peers.items():
        link = Link(peer, site.name, partial(site.peer_url, peer), line.thin, verify, writer.rules_known, view.name)
        Reader(link, readings[peer], writer.inbox, partial(writer.place, peer)).start()
    events.logger().info(events.APPLY_STARTED, peers=sorted(site.peers))
    writer.run()


def _open(writer: Writer) -> None:
    """Wait for the database, which may start after us, or be in the middle of being seeded."""
    while True:
        try:
            writer.open()
        except (psycopg.Error, TransientError) as fault:
            events.logger().warning(events.APPLY_INTERRUPTED, reason=str(fault).splitlines()[0])
            pause(_OPEN_PAUSE_SECONDS)
        else:
            return

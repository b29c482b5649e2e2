"""Looks at one table of one peer, and keeps what was found (replication/verify/background.py)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from replication import events
from replication.control.asking import Peers
from replication.errors import DecodeError, RefusedError, TransientError, UsageError
from replication.postgres import verifications
from replication.postgres.connect import Connection
from replication.postgres.verifications import Name, Outcome
from replication.verify.background import Comparison, Found, Pace
from sitecfg import Config, Site

SHARE_OF_LINE = 0.1
"""The part of a line that comparing may take."""


@dataclass(slots=True)
class PeersLine:
    """The line to one peer, and what went over it since."""

    peers: Peers
    peer: str
    began_bytes: int

    def __call__(self, what: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return self.peers.ask(self.peer, what, body)

    @property
    def bytes_exchanged(self) -> int:
        return self.peers.lines[self.peer].bytes_exchanged - self.began_bytes


def look(connection: Connection, config: Config, site: Site, peers: Peers, peer: str, table: Name) -> None:
    """Compare the table, at the pace that the site's file and the line allow."""
    line = PeersLine(peers, peer, peers.lines[peer].bytes_exchanged)
    rate = site.peers[peer].rate_bytes_per_second * SHARE_OF_LINE
    verifications.begin(connection, peer, table)

    def progress(compared: int) -> None:
        verifications.progress(connection, peer, table, compared, line.bytes_exchanged)

    pace = Pace(site.limits.verify_rows_per_second, rate)
    comparison = Comparison(connection, config, site, peer, line, pace, progress)
    try:
        found = comparison.compare(table)
    except (RefusedError, TransientError, DecodeError, UsageError) as fault:
        found = Found(0, (), undecided=str(fault))
    except psycopg.DataError:
        found = Found(0, (), undecided=f"{peer} names keys that are none")
    outcome = Outcome(found.rows, line.bytes_exchanged, found.differing, found.is_more, found.undecided)
    verifications.end(connection, peer, table, outcome)
    events.logger().info(
        events.TABLE_VERIFIED,
        peer=peer,
        table=".".join(table),
        rows=found.rows,
        differing=len(found.differing),
        undecided=found.undecided,
    )

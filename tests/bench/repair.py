"""A large table in which few rows differ: how long it takes two sites to find these over the bus, and how many bytes at
the emulator, both directions; then, until the rows are sent again and alike.

The rows are written at both sites as apply writes them, under equal stamps. The comparison is the control daemon's, at
no pace but its own. What the idle line carries anyhow is taken off.
"""

import time
from functools import partial

from psycopg import sql

from deploy.local.supervisor import wait_until
from replication.control.asking import Peers, peers_of
from replication.control.verifying import PeersLine
from replication.postgres.connect import Connection, connect
from replication.verify.background import Comparison, Found, Pace
from tests.bench.figures import Measured
from tests.bench.pair import Pair, running_pair
from tests.postgres.servers import as_applied

ROWS = 5_000_000
DIFFERING = 100
TABLE = "customer"
IDLE_SECONDS = 10.0
REPAIR_SECONDS = 120.0

KEYS = ("repair_verify_s", "repair_verify_bytes", "repair_s")

FILL = f"""
INSERT INTO {TABLE} (id, name, phone, credit, tags, note, updated, kuroshio)
SELECT md5(i::text)::uuid, '陳志明' || i %% 100000, '+886-2-' || i %% 10000000, i %% 1000000, '{{"src": "expo"}}',
       '展場名片掃描，待業務人員聯絡確認，中文備註', '2026-01-01', ARRAY[700000000000000000 + i::bigint * 1024 + 1, 0]
  FROM generate_series(%s, %s) AS i"""
SPOIL = f"UPDATE {TABLE} SET phone = 'spoilt' WHERE id = ANY (%s)"
STEP = 250_000


def measure(rows: int = ROWS) -> Measured:
    """Fill, spoil a hundred rows at the peer, find them, send them again."""
    with running_pair() as pair, connect(pair.origin.dsn(), name="bench") as here, peers_of_origin(pair) as peers:
        pair.create(TABLE)
        pair.settle()
        for connection in (pair.at_origin, pair.at_peer):
            _fill(connection, rows)
        spoilt = _spoil(pair, rows)
        idle_per_second = _idle_bytes(pair) / IDLE_SECONDS
        before, began = pair.wan_bytes(), time.monotonic()
        found, letters = _compare(pair, here, peers)
        seconds = time.monotonic() - began
        carried = pair.wan_bytes() - before - idle_per_second * seconds
        if sorted(key[0] for key in found.differing) != spoilt:
            raise RuntimeError(f"{len(found.differing)} rows found, {len(spoilt)} differ")
        repaired = _repair(pair, peers, found)
        pair.verify()
    details = {"rows": rows, "differing": len(spoilt), "letter_bytes": letters}
    return {
        "repair_verify_s": (seconds, details),
        "repair_verify_bytes": (carried, details),
        "repair_s": (repaired, details),
    }


def peers_of_origin(pair: Pair) -> Peers:
    """The origin's line to its peer, through the emulator."""
    return peers_of(pair.stack.config, pair.origin)


def _fill(connection: Connection, rows: int) -> None:
    with as_applied(connection):
        for first in range(1, rows + 1, STEP):
            connection.execute(FILL.encode(), (first, min(first + STEP - 1, rows)))
    connection.execute(f"VACUUM ANALYZE {TABLE}".encode())


def _spoil(pair: Pair, rows: int) -> list[str]:
    every = sql.SQL("SELECT md5(i::text)::uuid::text FROM generate_series(1, %s, %s) AS i LIMIT %s")
    spoilt = [str(row[0]) for row in pair.at_peer.execute(every, (rows, max(rows // DIFFERING, 1), DIFFERING))]
    with as_applied(pair.at_peer):
        pair.at_peer.execute(SPOIL.encode(), (spoilt,))
    return sorted(spoilt)


def _idle_bytes(pair: Pair) -> int:
    before = pair.wan_bytes()
    time.sleep(IDLE_SECONDS)
    return pair.wan_bytes() - before


def _compare(pair: Pair, here: Connection, peers: Peers) -> tuple[Found, int]:
    line = PeersLine(peers, pair.peer.name, 0)
    pace = Pace(float("inf"), float("inf"))
    found = Comparison(here, pair.stack.config, pair.origin, pair.peer.name, line, pace).compare(("public", TABLE))
    return found, line.bytes_exchanged


def _repair(pair: Pair, peers: Peers, found: Found) -> float:
    """Until the peer, which holds the greater text under the same stamps, has sent it and the origin shows it."""
    began = time.monotonic()
    keys = [list(key) for key in found.differing]
    peers.ask(pair.peer.name, "resend", {"table": ["public", TABLE], "keys": keys, "by": "bench"})
    spoilt = f"SELECT count(*) FROM {TABLE} WHERE phone = 'spoilt'"
    wait_until("all rows are alike", partial(_is, pair.at_origin, spoilt, len(keys)), REPAIR_SECONDS)
    return time.monotonic() - began


def _is(connection: Connection, query: str, value: int) -> bool:
    row = connection.execute(query.encode()).fetchone()
    return row is not None and row[0] == value

"""A reader that is far behind knows how far: it asks what the origin says now, and not only what it reads."""

import queue

import pytest

from replication.apply.incoming import Incoming
from replication.apply.reader import Link, Reader
from replication.broker.names import directory_name, stream_name
from replication.clock import now_us
from replication.errors import PositionLostError
from replication.postgres.applying import Reading
from replication.wire.header import Header, Kind, Lineage
from replication.wire.message import encode
from tests.broker.owner import Owner
from tests.broker.private_broker import PrivateBroker

ORIGIN, TOKEN = "us", "beef"
DAY_US = 86_400_000_000


def message(kind: Kind, from_lsn: int, to_lsn: int, changes: int, published_us: int) -> bytes:
    header = Header(ORIGIN, TOKEN, kind, from_lsn, to_lsn, published_us=published_us, changes_total=changes)
    header.lineage = [Lineage(TOKEN, 0)] if kind == "start" else []
    return encode(header, [], lambda _: bytes(64))


def test_who_reads_what_was_said_long_ago_asks_how_much_more_there_is(broker: PrivateBroker, owner: Owner) -> None:
    now = now_us()
    said = {
        directory_name(ORIGIN, 0): [message("start", 0, 0, 0, now)],
        stream_name(ORIGIN, TOKEN, "live"): [message("heartbeat", 900, 990, 70, now)],
        # What is missing between these two ends the reading.
        stream_name(ORIGIN, TOKEN, "packed"): [
            message("heartbeat", 0, 10, 1, now - DAY_US),
            message("heartbeat", 20, 30, 2, now - DAY_US),
        ],
    }
    for stream, bodies in said.items():
        owner.declare(stream)
        for body in bodies:
            owner.append(stream, body)
    reading, inbox = Reading(ORIGIN), queue.Queue[Incoming]()
    link = Link(ORIGIN, "taipei", broker.url, True, lambda *_: None, frozenset({""}))
    with pytest.raises(PositionLostError, match="missing here"):
        Reader(link, reading, inbox, lambda: None)._read()
    assert (reading.head_lsn, reading.head_changes) == (990, 70)

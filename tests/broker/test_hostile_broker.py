"""What a peer's broker says that is no AMQP, or too much of it, ends its own connection and nothing else."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from replication.broker.reader import StreamReader
from replication.errors import BrokerUnavailable, OversizedError

SECONDS = 20


def frame(kind: int, payload: bytes, channel: int = 0) -> bytes:
    return struct.pack(">BHL", kind, channel, len(payload)) + payload + b"\xce"


def start(properties: bytes) -> bytes:
    """connection.start, version 0-9, with this table of properties."""
    return frame(1, b"\0\x0a\0\x0a\0\x09" + properties + b"\0\0\0\5PLAIN\0\0\0\5en_US")


def nested(depth: int) -> bytes:
    table = b""
    for _ in range(depth):
        table = b"\1aF" + struct.pack(">L", len(table)) + table
    return struct.pack(">L", len(table)) + table


SAID = {
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "another version": b"AMQP\0\0\x08\0",
    "a method that stops": frame(1, b"\0\x0a\0\x0a"),
    "a method that is none": frame(1, b"\xff\xff\xff\xff"),
    "a frame that is none": frame(77, b"xxxx"),
    "a frame without its end": frame(1, b"\0\x0a\0\x0a")[:-1] + b"x",
    "a table that lies of its size": start(b"\0\0\xff\xff\1a"),
    "a table of unknown things": start(struct.pack(">L", 4) + b"\1aQ\0"),
    "a name that is not UTF-8": start(struct.pack(">L", 3) + b"\1\xffV"),
    "tables within tables": start(nested(3000)),
    "a body that nobody asked for": frame(2, b"\0\x3c\0\0" + struct.pack(">QH", 1 << 40, 0), channel=1),
}


@contextmanager
def a_broker(*said: bytes) -> Iterator[str]:
    """Says this to whoever comes, whatever they say."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                client, _ = server.accept()
                with client:
                    client.recv(8)
                    for data in said:
                        client.sendall(data)
                    while client.recv(4096):
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"amqp://peer:peer@127.0.0.1:{server.getsockname()[1]}/%2F"
        server.close()
        thread.join(SECONDS)
        assert not thread.is_alive()


@pytest.mark.parametrize("what", SAID)
def test_what_is_no_amqp_ends_the_connection(what: str) -> None:
    with (
        a_broker(SAID[what]) as url,
        pytest.raises((BrokerUnavailable, OversizedError)),
        StreamReader(url, "kuroshio.x.y.live", "first", prefetch=2, timeout_seconds=2),
    ):
        pass


def test_a_frame_without_an_end_fills_no_memory() -> None:
    endless = struct.pack(">BHL", 1, 0, 0xFFFFFFF0), *([bytes(1 << 18)] * 40)
    with (
        a_broker(*endless) as url,
        pytest.raises(OversizedError),
        StreamReader(url, "kuroshio.x.y.live", "first", prefetch=2, timeout_seconds=5),
    ):
        pass

"""A session with a broker that is not well."""

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from replication.broker.session import Session
from replication.errors import BrokerUnavailable

ATTEMPTS = 200
RESET = struct.pack("ii", 1, 0)


@pytest.fixture
def resetting_port() -> Iterator[int]:
    """A server that resets whoever connects, at once: some notice while they connect, some afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(ATTEMPTS):
                client, _ = server.accept()
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                client.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


def test_a_connection_that_is_reset_at_any_moment_is_a_broker_that_is_not_there(resetting_port: int) -> None:
    for _ in range(ATTEMPTS):
        with pytest.raises(BrokerUnavailable), Session(f"amqp://a:b@127.0.0.1:{resetting_port}/%2F", timeout_seconds=5):
            pytest.fail("there is no broker")

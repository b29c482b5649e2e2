"""What a peer may do at a broker (replication/broker/permissions.py), as the broker itself says."""

from collections.abc import Callable, Iterator

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker

from replication.broker.names import directory_name, stream_name
from replication.broker.permissions import of_peer
from replication.broker.reader import StreamReader
from replication.errors import BrokerUnavailable
from tests.broker.owner import Owner
from tests.broker.private_broker import PrivateBroker

HERE, PEER, NARROW = "here", "peer", "narrow"
VIEW = "beefbeef"
LANE = stream_name(HERE, "0123", "live")
NARROW_LANE = stream_name(HERE, "0123", "packed", VIEW)
CONTROL = f"kuroshio.control.{HERE}"
OTHERS = ("celery", "kuroshio.elsewhere.0123.live", "kuroshio.here.0123.live.copy", CONTROL)


@pytest.fixture(scope="module")
def broker(private_broker: PrivateBroker) -> PrivateBroker:
    """With this site's queues, and two peers; one of them with a view of its own."""
    private_broker.ensure()
    for user, view in ((PEER, ""), (NARROW, VIEW)):
        private_broker.control("add_user", user, user)
        private_broker.control("set_permissions", user, *of_peer(HERE, view))
    owner = Owner(private_broker.url())
    owner.connect()
    for stream in (LANE, NARROW_LANE, directory_name(HERE), *OTHERS):
        owner.declare(stream)
        owner.append(stream, b"said")
    owner.end()
    with pika.BlockingConnection(pika.URLParameters(private_broker.url())) as connection:
        connection.channel().exchange_declare(CONTROL, "direct", durable=True)
        connection.channel().exchange_declare("kuroshio.control.elsewhere", "direct", durable=True)
    return private_broker


@pytest.fixture(params=[PEER, NARROW])
def channel(broker: PrivateBroker, request: pytest.FixtureRequest) -> Iterator[BlockingChannel]:
    connection = pika.BlockingConnection(pika.URLParameters(broker.url(request.param)))
    yield connection.channel()
    if connection.is_open:
        connection.close()


def read(broker: PrivateBroker, user: str, queue: str) -> bytes:
    """The first message that a user gets of a queue."""
    with StreamReader(broker.url(user), queue, "first", prefetch=1, timeout_seconds=20) as reader:
        delivery = next(reader.deliveries(20))
    assert delivery is not None
    return delivery.body


@pytest.mark.parametrize(("user", "queue"), [(PEER, LANE), (NARROW, NARROW_LANE), (PEER, directory_name(HERE))])
def test_a_peer_reads_its_own_view_of_the_log(broker: PrivateBroker, user: str, queue: str) -> None:
    assert read(broker, user, queue) == b"said"


@pytest.mark.parametrize(
    ("user", "queue"),
    [(PEER, NARROW_LANE), (NARROW, LANE), *((user, queue) for user in (PEER, NARROW) for queue in OTHERS)],
)
def test_a_peer_reads_nothing_else(broker: PrivateBroker, user: str, queue: str) -> None:
    with pytest.raises(BrokerUnavailable, match="ACCESS_REFUSED"):
        read(broker, user, queue)


def test_a_peer_writes_to_the_exchange_by_which_the_site_is_asked(channel: BlockingChannel) -> None:
    channel.confirm_delivery()
    channel.basic_publish(CONTROL, HERE, b"a request")


def publish(exchange: str, key: str) -> Callable[[BlockingChannel], object]:
    def attempt(channel: BlockingChannel) -> None:
        channel.confirm_delivery()
        channel.basic_publish(exchange, key, b"forged")

    return attempt


FORBIDDEN: dict[str, Callable[[BlockingChannel], object]] = {
    "append to the log it reads": publish("", LANE),
    "append to the directory": publish("", directory_name(HERE)),
    "put into any queue": publish("", "celery"),
    "answer for the site": publish("", CONTROL),
    "ask another site here": publish("kuroshio.control.elsewhere", "elsewhere"),
    "publish to an exchange of the broker": publish("amq.topic", "any"),
    "declare a queue": lambda channel: channel.queue_declare("kuroshio.here.0123.mine"),
    "declare a nameless queue": lambda channel: channel.queue_declare("", exclusive=True),
    "declare an exchange": lambda channel: channel.exchange_declare("kuroshio.control.mine"),
    "delete the log": lambda channel: channel.queue_delete(LANE),
    "delete the exchange": lambda channel: channel.exchange_delete(CONTROL),
    "purge a queue": lambda channel: channel.queue_purge("celery"),
    "bind a queue to listen": lambda channel: channel.queue_bind("celery", CONTROL, HERE),
    "bind the log to be written to": lambda channel: channel.queue_bind(LANE, CONTROL, "x"),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_peer_does_nothing_else(channel: BlockingChannel, what: str) -> None:
    with pytest.raises(ChannelClosedByBroker, match="ACCESS_REFUSED"):
        FORBIDDEN[what](channel)

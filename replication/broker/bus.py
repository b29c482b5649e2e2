"""Asking a site over a broker, and answering: bytes there and back, by kombu. What they say is the caller's.

1. Who asks connects to the other's broker and writes to its one exchange. The answer comes back over the same
   connection (``names.REPLIES``), so nobody else can read it, and what nobody waits for any more is gone.
2. Nothing is kept for long: a request that was not taken when its asker gives up expires, and the queue is bounded.
3. A line that is silent is dropped, and made anew by the next request: nothing waits for it beyond its own time.
4. Answers go by direct reply-to and nowhere else, whatever a letter names: who answers may write everywhere at its
   broker, and would write into the site's own log for a peer that asks it to.
5. A letter is bytes to kombu. It can also unpack bodies, before anybody has looked at a signature: it is told not to.
"""

import ssl
import time
from ast import literal_eval
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar
from urllib.parse import parse_qs

from amqp.exceptions import AMQPError
from kombu import Connection, Consumer, Exchange, Message, Producer, Queue, compression
from kombu.exceptions import KombuError

from replication.broker.names import REPLIES, control_name
from replication.errors import BrokerUnavailable

T = TypeVar("T")
Answer = Callable[[bytes], bytes | None]
"""What is said to a request; None: nothing."""

_CONNECT_SECONDS = 10.0
_WRITE_SECONDS = 20.0
_GOODBYE_SECONDS = 0.1
_HEARTBEAT_SECONDS = 60
_TURN_SECONDS = 1.0
_AT_ONCE = 8
_QUEUE_BYTES = 8 << 20
_LETTER_SECONDS = 300.0
_FAULTS = (OSError, AMQPError, KombuError)
_BYTES: dict[str, Any] = {
    "delivery_mode": 1,
    "content_type": "application/octet-stream",
    "content_encoding": "binary",
}


def _refuse(_: bytes) -> NoReturn:
    raise ValueError("letters are not compressed by kombu")


for _content_type in compression.encoders():
    compression.register(_refuse, _refuse, _content_type)


def _connection(url: str, seconds: float = _CONNECT_SECONDS) -> Connection:
    bounds = {"read_timeout": _WRITE_SECONDS, "write_timeout": _WRITE_SECONDS}
    options = {"polling_interval": 0.01} if url.startswith("memory:") else bounds
    address, _, query = url.partition("?")
    tls = _tls(parse_qs(query)["ssl_options"][0]) if query else None
    return Connection(
        address, connect_timeout=seconds, heartbeat=_HEARTBEAT_SECONDS, transport_options=options, ssl=tls
    )


def _tls(options: str) -> dict[str, Any]:
    """As pika reads them from the address; whoever answers must prove that it is the site."""
    return {**literal_eval(options), "cert_reqs": ssl.CERT_REQUIRED}


def _open(connection: Connection) -> None:
    """Try once: the caller knows when to try again."""
    connection.ensure_connection(max_retries=0, reraise_as_library_errors=False)


def _drop(connection: Connection) -> None:
    """Leave a line on which nobody may answer: TLS would wait for the answer to its goodbye."""
    sock = getattr(getattr(connection, "_connection", None), "sock", None)
    if sock is not None:
        sock.settimeout(_GOODBYE_SECONDS)
    connection.collect()


def _exchange(site: str) -> Exchange:
    return Exchange(control_name(site), type="direct", durable=True)


class Line:
    """A connection over which one site is asked, opened when it is needed. Used by one thread."""

    def __init__(self, url: Callable[[], str], site: str) -> None:
        self._url = url
        self._exchange = _exchange(site)
        self._site = site
        self._connection: Connection | None = None
        self._producer: Producer
        self._arrived: list[bytes] = []
        self.bytes_exchanged = 0
        """Of letters, there and back."""

    def close(self) -> None:
        """Leave; the next request opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()

    def ask(self, letter: bytes, read: Callable[[bytes], T | None], seconds: float) -> T:
        """Send a letter and wait for what ``read`` takes for its answer.

        Raises :class:`BrokerUnavailable` where none comes in time, or the connection breaks.
        """
        deadline = time.monotonic() + seconds
        with self._bounded(f"{self._site} did not answer within {seconds:g} s"):
            connection = self._connection or self._open(min(seconds, _CONNECT_SECONDS))
            self._arrived.clear()
            self._producer.publish(
                letter,
                routing_key=self._site,
                reply_to=REPLIES,
                expiration=seconds,
                **_BYTES,
            )
            self.bytes_exchanged += len(letter)
            while True:
                connection.drain_events(timeout=max(deadline - time.monotonic(), 0.001))
                for body in self._take():
                    if (answer := read(body)) is not None:
                        return answer

    def _take(self) -> list[bytes]:
        bodies, self._arrived = self._arrived, []
        self.bytes_exchanged += sum(map(len, bodies))
        return bodies

    def _open(self, seconds: float) -> Connection:
        self._connection = connection = _connection(self._url(), seconds)
        _open(connection)
        channel = connection.channel()
        self._producer = Producer(channel, exchange=self._exchange, auto_declare=False)
        consumer = Consumer(
            channel,
            [Queue(REPLIES, no_declare=True)],
            no_ack=True,
            auto_declare=False,
            on_message=lambda message: self._arrived.append(_body(message)),
            on_decode_error=_pass_over,
        )
        consumer.consume()
        return connection

    @contextmanager
    def _bounded(self, late: str) -> Iterator[None]:
        """Drop the line when anything breaks, without a word to whoever is silent."""
        try:
            yield
        except _FAULTS as fault:
            connection, self._connection = self._connection, None
            if connection is not None:
                _drop(connection)
            raise BrokerUnavailable(late if isinstance(fault, TimeoutError) else _words(fault)) from fault


def serve(url: str, site: str, answer: Answer, goes_on: Callable[[], bool] = lambda: True) -> None:
    """Answer what is asked of a site at its own broker, for as long as ``goes_on`` says so.

    Raises :class:`BrokerUnavailable` where the connection breaks.
    """
    connection = _connection(url)
    try:
        _open(connection)
        channel = connection.channel()
        producer = Producer(channel, auto_declare=False)
        with _consumer(channel, site, lambda message: _serve_one(message, producer, answer)):
            while goes_on():
                _turn(connection)
        connection.release()
    except _FAULTS as fault:
        raise BrokerUnavailable(_words(fault)) from fault
    finally:
        connection.collect()


def _consumer(channel: Any, site: str, serve_one: Callable[[Message], None]) -> Consumer:
    queue = Queue(
        control_name(site),
        _exchange(site),
        routing_key=site,
        durable=True,
        max_length_bytes=_QUEUE_BYTES,
        message_ttl=_LETTER_SECONDS,
    )
    return Consumer(channel, [queue], prefetch_count=_AT_ONCE, on_message=serve_one, on_decode_error=_pass_over)


def _serve_one(message: Message, producer: Producer, answer: Answer) -> None:
    """Taken is taken: who gets no answer asks again."""
    message.ack()
    reply_to = str(message.properties.get("reply_to"))
    reply = answer(_body(message))
    if reply is not None and reply_to.startswith(REPLIES):
        producer.publish(reply, exchange="", routing_key=reply_to, **_BYTES)


def _turn(connection: Connection) -> None:
    try:
        connection.drain_events(timeout=_TURN_SECONDS)
    except TimeoutError:
        connection.heartbeat_check()


def _pass_over(message: Message, _: Exception) -> None:
    """What kombu cannot read is no letter."""
    if not message.acknowledged:
        message.ack()


def _body(message: Message) -> bytes:
    """A body that says of itself that it is text was decoded on the way: that is no letter either."""
    return message.body if isinstance(message.body, bytes) else b""


def _words(fault: BaseException) -> str:
    return " ".join(str(fault).split()) or type(fault).__name__

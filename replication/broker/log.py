"""Short questions about a stream: is it there, what is its first message, and what its last?

The broker has no command for the last message. Reading from "last" begins with the last *chunk*,
which may hold one message or thousands, so one must know where it ends. What is asked:

1. Attach at the last chunk and acknowledge all that arrived. The broker's channel answers an
   acknowledgement with all that is committed by then and fits the prefetch, before it looks at the
   next command. So when a command sent behind the acknowledgement is answered and nothing came
   in between, the last message that came is the log's last.
2. When nothing comes at all, the stream's own count says whether that is right. If it is not (the
   tail of the log was cut off, and its last segment is empty), the log is read from its beginning.
"""

from collections import deque

from pika import BasicProperties
from pika.channel import Channel
from pika.spec import Basic

from replication.broker.session import Offset, Session
from replication.errors import BrokerUnavailable

_PREFETCH = 200
_EMPTY_SECONDS = 0.5


def last_message(url: str, stream: str, *, timeout_seconds: float = 10) -> bytes | None:
    """Return the body of the last message of `stream`, None when it has none."""
    offsets: tuple[Offset, ...] = ("last", "first")
    for offset in offsets:
        with Session(url, timeout_seconds=timeout_seconds) as session:
            tail = _Tail(session, stream)
            session.attach(stream, offset, prefetch=_PREFETCH, deliver=tail.deliver)
            if tail.arrives():
                return tail.read()
            if _count(session, stream) == 0:
                return None
    raise BrokerUnavailable(f"{stream} holds messages and delivers none")


def first_message(url: str, stream: str, *, timeout_seconds: float = 10) -> bytes | None:
    """Return the body of the oldest message that `stream` still has, None when it has none."""
    bodies: list[bytes] = []
    with Session(url, timeout_seconds=timeout_seconds) as session:
        session.attach(stream, "first", prefetch=1, deliver=lambda _c, _m, _p, body: bodies.append(body))
        seconds = _EMPTY_SECONDS if _count(session, stream) == 0 else timeout_seconds
        session.wait(lambda: bool(bodies), seconds)
    return bodies[0] if bodies else None


class _Tail:
    """Reads a stream up to the end that is committed, keeping the last message alone."""

    def __init__(self, session: Session, stream: str) -> None:
        self._session = session
        self._stream = stream
        self._last: deque[tuple[int, bytes]] = deque(maxlen=1)
        self._acknowledged = 0

    def arrives(self) -> bool:
        """Whether anything comes: soon if the broker counts nothing, in bounded time otherwise."""
        empty = _count(self._session, self._stream) == 0
        seconds = _EMPTY_SECONDS if empty else self._session.timeout_seconds
        if not self._session.wait(lambda: bool(self._last), seconds):
            _count(self._session, self._stream)
        return bool(self._last)

    def read(self) -> bytes:
        while self._acknowledge():
            _count(self._session, self._stream)
        return self._last[0][1]

    def _acknowledge(self) -> bool:
        """Acknowledge what came since the last call; say whether anything did."""
        tag = self._last[0][0]
        if tag == self._acknowledged:
            return False
        self._acknowledged = tag
        self._session.channel.basic_ack(tag, multiple=True)
        return True

    def deliver(self, _: Channel, method: Basic.Deliver, _properties: BasicProperties, body: bytes) -> None:
        self._last.append((method.delivery_tag, body))


def _count(session: Session, stream: str) -> int:
    """How many messages the broker counts in `stream`; StreamMissing when it is not there."""
    answer = session.call(
        lambda done: session.channel.queue_declare(stream, passive=True, callback=done),
        f"to look for {stream}",
    )
    count: int = answer.method.message_count
    return count

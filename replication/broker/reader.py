"""Reads one stream of a peer's broker, over the WAN, in a thread of its own.

The prefetch bounds what is in flight and what the owner holds, so that a queue behind the reader
needs no bound of its own. The broker sends whole chunks (what it wrote at once, when messages came
fast), so one chunk may pass the prefetch; after a cut one may go on inside a chunk all the same.
The owner keeps asking for deliveries: the connection's heartbeats are answered there.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Self

from pika import BasicProperties
from pika.channel import Channel
from pika.spec import Basic

from replication.broker.session import OFFSET_HEADER, Offset, Session


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message. Its offset is the broker's and only a hint; the tag is this connection's."""

    offset: int
    body: bytes
    tag: int


class StreamReader:
    """Deliveries of one stream, from one offset on, for as long as the connection holds.

    Raises StreamMissing when the stream is not there or is deleted, and BrokerUnavailable for all
    else that breaks: refused, silent for longer than the heartbeats allow, closed.
    """

    def __init__(
        self,
        url: str,
        stream: str,
        offset: Offset,
        *,
        prefetch: int,
        heartbeat_seconds: int = 20,
        timeout_seconds: float,
    ) -> None:
        self._stream = stream
        self._offset = offset
        self._prefetch = prefetch
        self._session = Session(url, timeout_seconds=timeout_seconds, heartbeat_seconds=heartbeat_seconds)
        self._arrived: deque[Delivery] = deque()
        self._acknowledged = 0

    def __enter__(self) -> Self:
        self._session.__enter__()
        try:
            self._session.attach(self._stream, self._offset, prefetch=self._prefetch, deliver=self._deliver)
        except BaseException:
            self._session.leave()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._session.leave()

    def deliveries(self, idle_seconds: float) -> Iterator[Delivery | None]:
        """Yield each message as it arrives, and None whenever none came for `idle_seconds`."""
        while True:
            if self._session.wait(lambda: bool(self._arrived), idle_seconds):
                yield self._arrived.popleft()
            else:
                yield None

    def ack(self, delivery: Delivery) -> None:
        """Make room for more: `delivery` and all before it are dealt with. Owner's thread only."""
        if delivery.tag > self._acknowledged and self._session.channel.is_open:
            self._acknowledged = delivery.tag
            self._session.channel.basic_ack(delivery.tag, multiple=True)

    def ack_threadsafe(self, delivery: Delivery) -> None:
        """`ack`, from any thread; harmless once the reader has been left."""
        self._session.loop.add_callback_threadsafe(partial(self.ack, delivery))

    def ask(self, answered: Callable[[], None]) -> None:
        """Have `answered` called when the broker answers, behind all that is on its way from there. Changes nothing."""
        if self._session.channel.is_open:
            self._session.channel.basic_qos(prefetch_count=self._prefetch, callback=lambda _: answered())

    def _deliver(self, _: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        offset = (properties.headers or {})[OFFSET_HEADER]
        if not isinstance(offset, int):
            raise TypeError(f"{OFFSET_HEADER} is no number")
        self._arrived.append(Delivery(offset, body, method.delivery_tag))


def prefetch_for(message_bytes: int, window_bytes: int = 1 << 20) -> int:
    """How many messages of a usual size may be in flight, so that they are about `window_bytes`.

    At least two, so that the line carries one while the other is applied.
    """
    return max(2, min(1000, window_bytes // max(1, message_bytes)))

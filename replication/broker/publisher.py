"""Appends to this site's streams, from a loop that also watches the replication socket.

1. Publishes are pipelined; a token is reported once everything up to it is confirmed, in order.
2. A message that the broker returns or refuses ends the connection: the owner connects again and
   publishes everything again that was not reported. Readers know duplicates by their LSNs.
3. A confirm that stays away ends the connection too: a broker that has just started may take a
   message for a stream whose writer is not there yet, and never answer.
4. After `on_lost` nothing of the old connection is reported any more.
"""

from collections.abc import Callable
from functools import partial

from pika import BasicProperties, DeliveryMode
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker
from pika.frame import Method
from pika.spec import Basic

from replication.broker.confirms import Ledger
from replication.broker.connection import Connection, parameters
from replication.broker.retention import differs_in_retention_only, stream_arguments
from replication.errors import BrokerUnavailable

_CONNECT_SECONDS = 10.0
_HEARTBEAT_SECONDS = 30
_DURABLE = BasicProperties(delivery_mode=DeliveryMode.Persistent.value)


class Publisher:
    """One connection to this site's broker, opened by `connect` and again after each `on_lost`."""

    def __init__(
        self,
        loop: IOLoop,
        url: str,
        *,
        on_open: Callable[[], None],
        on_confirmed: Callable[[str, int], None],
        on_lost: Callable[[str], None],
        stall_seconds: float = 30,
    ) -> None:
        self._loop = loop
        self._url = url
        self._on_open = on_open
        self._on_confirmed = on_confirmed
        self._on_lost = on_lost
        self._stall_seconds = stall_seconds
        self._connection: Connection | None = None
        self._channel: Channel | None = None
        self._ledger = Ledger()
        self.blocked = False
        """The broker takes no messages for now: its memory or disk alarm is on."""

    @property
    def is_open(self) -> bool:
        """Whether `publish` may be called."""
        return self._channel is not None

    @property
    def unconfirmed_bytes(self) -> int:
        """Bytes of message bodies that wait for their confirm."""
        return self._ledger.unconfirmed_bytes

    def connect(self) -> None:
        """Begin to connect; `on_open` or `on_lost` follows."""
        if self._connection is not None:
            return
        self._connection = Connection(
            parameters(self._url, timeout_seconds=_CONNECT_SECONDS, heartbeat_seconds=_HEARTBEAT_SECONDS),
            on_open_callback=self._connected,
            on_open_error_callback=self._connection_ended,
            on_close_callback=self._connection_ended,
            custom_ioloop=self._loop,
        )

    def declare(self, stream: str, *, max_bytes: int, max_age_days: int, done: Callable[[], None]) -> None:
        """Make `stream` unless it is there. One that is there keeps the retention it has."""
        arguments = stream_arguments(max_bytes=max_bytes, max_age_days=max_age_days)

        def declare_on(channel: Channel, finish: Callable[[Method], None]) -> None:
            channel.queue_declare(stream, durable=True, arguments=arguments, callback=finish)

        self._on_own_channel(declare_on, done)

    def delete(self, stream: str, done: Callable[[], None]) -> None:
        """Delete `stream`; one that is not there is as good as deleted."""

        def delete_on(channel: Channel, finish: Callable[[Method], None]) -> None:
            channel.queue_delete(stream, callback=finish)

        self._on_own_channel(delete_on, done)

    def publish(self, stream: str, body: bytes, token: int) -> None:
        """Append `body`; `token`, the caller's LSN, never falls within one stream."""
        if self._channel is None:
            raise BrokerUnavailable("not connected to this site's broker")
        self._ledger.published(stream, token, len(body))
        self._channel.basic_publish("", stream, body, _DURABLE, mandatory=True)

    def close(self) -> None:
        """Leave without `on_lost`. The goodbye goes out as the loop runs on."""
        connection = self._forget()
        if connection is not None and not (connection.is_closing or connection.is_closed):
            connection.close()

    def _connected(self, connection: Connection) -> None:
        if connection is not self._connection:
            return
        connection.add_on_connection_blocked_callback(partial(self._block, blocked=True))
        connection.add_on_connection_unblocked_callback(partial(self._block, blocked=False))
        connection.channel(on_open_callback=self._channel_opened)

    def _block(self, connection: Connection, _frame: Method, *, blocked: bool) -> None:
        if connection is self._connection:
            self.blocked = blocked

    def _channel_opened(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._channel_closed)
        channel.add_on_return_callback(self._returned)
        channel.confirm_delivery(partial(self._answered, channel), partial(self._ready, channel))

    def _ready(self, channel: Channel, _frame: Method) -> None:
        if channel.connection is self._connection:
            self._channel = channel
            self._watch(channel, None)
            self._on_open()

    def _watch(self, channel: Channel, oldest_before: int | None) -> None:
        """Give the connection up when one message has waited from one look to the next."""
        if channel is not self._channel:
            return
        oldest = None if self.blocked else self._ledger.oldest
        if oldest is not None and oldest == oldest_before:
            self._lose(f"the broker left a message unconfirmed for {self._stall_seconds:g} s")
        else:
            self._loop.call_later(self._stall_seconds, partial(self._watch, channel, oldest))

    def _answered(self, channel: Channel, frame: Method) -> None:
        if channel is not self._channel:
            return
        answer = frame.method
        if isinstance(answer, Basic.Nack):
            self._lose("the broker refused a message (nack)")
            return
        for stream, token in self._ledger.confirmed(answer.delivery_tag, multiple=answer.multiple):
            self._on_confirmed(stream, token)

    def _returned(self, channel: Channel, returned: Basic.Return, *_message: object) -> None:
        if channel is self._channel:
            self._lose(f"the broker returned a message: {returned.routing_key} does not exist")

    def _channel_closed(self, channel: Channel, reason: BaseException) -> None:
        if channel.connection is self._connection:
            self._lose(str(reason))

    def _connection_ended(self, connection: Connection, reason: BaseException) -> None:
        if connection is self._connection:
            self._lose(str(reason) or repr(reason))

    def _on_own_channel(
        self,
        start: Callable[[Channel, Callable[[Method], None]], None],
        done: Callable[[], None],
    ) -> None:
        """Run one command where its failure does not end the publishing channel."""
        if self._connection is None or not self._connection.is_open:
            raise BrokerUnavailable("not connected to this site's broker")

        def finish(channel: Channel, _frame: Method) -> None:
            channel.close()
            if channel.connection is self._connection:
                done()

        def opened(channel: Channel) -> None:
            channel.add_on_close_callback(partial(self._command_ended, done))
            start(channel, partial(finish, channel))

        self._connection.channel(on_open_callback=opened)

    def _command_ended(self, done: Callable[[], None], channel: Channel, reason: BaseException) -> None:
        if channel.connection is not self._connection:
            return
        if not isinstance(reason, ChannelClosedByBroker):
            return
        if differs_in_retention_only(reason):
            done()
        else:
            self._lose(str(reason))

    def _lose(self, reason: str) -> None:
        connection = self._forget()
        if connection is not None and connection.is_open:
            connection.close()
        self._on_lost(reason)

    def _forget(self) -> Connection | None:
        connection, self._connection, self._channel = self._connection, None, None
        self._ledger = Ledger()
        self.blocked = False
        return connection

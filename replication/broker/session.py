"""One AMQP connection that one thread owns and drives: open, ask, wait for something, leave.

pika's BlockingConnection rejects what it has not handed out yet when it is left, and a stream
answers a reject by closing the connection; it can also not be left while a cut line is silent.
So a session turns pika's own loop itself, and everything it waits for has a bound.
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Literal, Self

from pika import BasicProperties
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker, ConnectionClosedByBroker
from pika.frame import Method
from pika.spec import Basic

from replication.broker.connection import Connection, parameters
from replication.errors import BrokerUnavailable, OversizedError, StreamDown, StreamMissing

Offset = int | Literal["first", "last", "next"] | datetime
"""Where to begin: at a message's offset, at the log's ends, or at a time (by whole chunks)."""

Deliver = Callable[[Channel, Basic.Deliver, BasicProperties, bytes], None]
OFFSET_HEADER = "x-stream-offset"

_CONSUMER_TAG = "k"  # it travels with each message, and pika's own is 38 bytes long
_LEAVE_SECONDS = 1.0
_NO_QUEUE = "NOT_FOUND - no queue"
_NOT_SERVED = (404, 406, 541)
"""What is said of a queue whose process does not run: its home node is down, it has no replica, an internal error."""

Call = Callable[[Callable[[Method], None]], object]
"""Starts a command; what it is given is called with the broker's answer."""


class Session:
    """A connection with one channel, open between `with` and its end."""

    channel: Channel

    def __init__(self, url: str, *, timeout_seconds: float, heartbeat_seconds: int = 20) -> None:
        self.timeout_seconds = timeout_seconds
        self.loop = IOLoop()
        self._parameters = parameters(url, timeout_seconds=timeout_seconds, heartbeat_seconds=heartbeat_seconds)
        self._connection: Connection | None = None
        self._opened = False
        self._error: BrokerUnavailable | None = None

    def __enter__(self) -> Self:
        self.loop.activate_poller()
        self._connection = Connection(
            self._parameters,
            on_open_callback=lambda opened: opened.channel(on_open_callback=self._channel_opened),
            on_open_error_callback=lambda _, reason: self.fail(_unavailable(reason)),
            on_close_callback=lambda _, reason: self.fail(_unavailable(reason)),
            custom_ioloop=self.loop,
        )
        try:
            self.expect(lambda: self._opened, "to open a connection", 2 * self.timeout_seconds)
        except (BrokerUnavailable, OversizedError):
            self.leave()
            raise
        except ValueError as fault:  # pika's, about a socket that was reset in the moment when it was connected
            self.leave()
            raise BrokerUnavailable(str(fault)) from fault
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def fail(self, error: BrokerUnavailable) -> None:
        """Make every wait from now on raise `error`; the first one stands."""
        self._error = self._error or error

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Turn the loop until `condition` holds or `seconds` have passed; say whether it holds.

        Raises what broke the session, but only once there is nothing left that satisfies.
        """
        deadline = time.monotonic() + seconds
        timer = self.loop.call_later(seconds, _nothing)
        try:
            while not condition():
                if self._error is not None:
                    raise (self._connection and self._connection.refused) or self._error
                if time.monotonic() >= deadline:
                    return False
                self._turn()
        finally:
            self.loop.remove_timeout(timer)
        return True

    def expect(self, condition: Callable[[], bool], what: str, seconds: float | None = None) -> None:
        """Wait for `condition`, or raise BrokerUnavailable that says what took too long."""
        bound = self.timeout_seconds if seconds is None else seconds
        if not self.wait(condition, bound):
            raise BrokerUnavailable(f"the broker took more than {bound:g} s {what}")

    def call(self, command: Call, what: str) -> Method:
        """Run `command` and return the broker's answer."""
        answers: list[Method] = []
        command(answers.append)
        self.expect(lambda: bool(answers), what)
        return answers[0]

    def attach(self, stream: str, offset: Offset, *, prefetch: int, deliver: Deliver) -> None:
        """Have `deliver` called, from the loop, with each message of `stream` from `offset` on."""
        gone = StreamMissing(f"{stream} was deleted while it was read")
        self.channel.add_on_cancel_callback(lambda _: self.fail(gone))
        self.call(
            lambda done: self.channel.basic_qos(prefetch_count=prefetch, callback=done),
            "to set the prefetch",
        )
        self.call(
            lambda done: self.channel.basic_consume(
                stream,
                deliver,
                consumer_tag=_CONSUMER_TAG,
                arguments={OFFSET_HEADER: offset},
                callback=done,
            ),
            f"to attach to {stream}",
        )

    def leave(self) -> None:
        """Say goodbye for a second at most, then drop the connection. Nothing is rejected."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if not (connection.is_closing or connection.is_closed):
            connection.close()
        self._turn_until_closed(connection)
        connection.abort()
        self._turn_until_closed(connection)
        self.loop.deactivate_poller()
        self.loop.close()

    def _turn_until_closed(self, connection: Connection) -> None:
        deadline = time.monotonic() + _LEAVE_SECONDS
        timer = self.loop.call_later(_LEAVE_SECONDS, _nothing)
        while not connection.is_closed and time.monotonic() < deadline:
            self._turn()
        self.loop.remove_timeout(timer)

    def _turn(self) -> None:
        self.loop.poll()
        self.loop.process_timeouts()

    def _channel_opened(self, channel: Channel) -> None:
        channel.add_on_close_callback(lambda _, reason: self.fail(_unavailable(reason)))
        self.channel = channel
        self._opened = True


def _nothing() -> None:
    """Wake the loop, no more."""


def _unavailable(reason: BaseException) -> BrokerUnavailable:
    """Tell a stream that does not exist from one whose broker is still starting: both say 404."""
    text = str(reason) or repr(reason)
    if "CERTIFICATE" in text:
        text += ": see until when the certificates of both sites hold: python -m deploy.certificates --show"
    if isinstance(reason, ChannelClosedByBroker) and reason.reply_text.startswith(_NO_QUEUE):
        return StreamMissing(text)
    if isinstance(reason, ChannelClosedByBroker | ConnectionClosedByBroker) and reason.reply_code in _NOT_SERVED:
        return StreamDown(text)
    return BrokerUnavailable(text)

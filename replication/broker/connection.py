"""An AMQP connection on a loop, with what pika leaves out: bounds in time and size, and an abort."""

from typing import NoReturn

from pika import URLParameters
from pika.adapters.select_connection import SelectConnection
from pika.exceptions import StreamLostError
from pika.frame import Frame, Header

from replication.errors import BrokerUnavailable, OversizedError
from replication.wire.message import MAX_MESSAGE

_MAX_FRAME = 1 << 20  # brokers agree to 128 KiB
_MEND = "python -m deploy.certificates makes them anew"


class Connection(SelectConnection):  # type: ignore[misc]  # pika is not marked as typed
    """A connection that can also be dropped at once, for a line on which nobody answers."""

    refused: OversizedError | None = None
    """What it was dropped for: pika hands on that it was, and not why."""

    def abort(self) -> None:
        """Close the socket without a goodbye. The close callback follows from the loop."""
        if not self.is_closed:
            self._terminate_stream(StreamLostError("given up: the broker did not answer in time"))

    def _process_frame(self, frame_value: Frame) -> None:
        """pika would gather a body of any size that a broker announces."""
        if isinstance(frame_value, Header) and frame_value.body_size > MAX_MESSAGE:
            self._refuse(f"a message of {frame_value.body_size} bytes, at most {MAX_MESSAGE} may be")
        super()._process_frame(frame_value)

    def _on_data_available(self, data_in: bytes) -> None:
        """And a frame of any size."""
        super()._on_data_available(data_in)
        if len(self._frame_buffer) > _MAX_FRAME:
            self._refuse(f"a frame of more than {_MAX_FRAME} bytes")

    def _refuse(self, what: str) -> NoReturn:
        """End the connection: what is raised where data come in does that."""
        self.refused = OversizedError(what)
        raise self.refused


def parameters(url: str, *, timeout_seconds: float, heartbeat_seconds: int) -> URLParameters:
    """Read `url`, and the certificates that it names; bound each step: connecting, the whole AMQP greeting, silence."""
    try:
        result = URLParameters(url)
    except OSError as fault:  # also ssl's: a key that is not the certificate's
        raise BrokerUnavailable(f"the certificates cannot be used ({fault}): {_MEND}") from fault
    result.socket_timeout = timeout_seconds
    result.stack_timeout = timeout_seconds
    result.heartbeat = heartbeat_seconds
    result.connection_attempts = 1
    return result

"""An AMQP connection on a loop, with the two things that pika leaves out: bounds, and an abort."""

from pika import URLParameters
from pika.adapters.select_connection import SelectConnection
from pika.exceptions import StreamLostError


class Connection(SelectConnection):  # type: ignore[misc]  # pika is not marked as typed
    """A connection that can also be dropped at once, for a line on which nobody answers."""

    def abort(self) -> None:
        """Close the socket without a goodbye. The close callback follows from the loop."""
        if not self.is_closed:
            self._terminate_stream(StreamLostError("given up: the broker did not answer in time"))


def parameters(url: str, *, timeout_seconds: float, heartbeat_seconds: int) -> URLParameters:
    """Read `url`, and bound each step: connecting, the whole AMQP greeting, and silence."""
    result = URLParameters(url)
    result.socket_timeout = timeout_seconds
    result.stack_timeout = timeout_seconds
    result.heartbeat = heartbeat_seconds
    result.connection_attempts = 1
    return result

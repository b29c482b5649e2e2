"""What the capture daemon is to a publisher: it owns the loop, and connects again."""

from collections.abc import Callable

from pika.adapters.select_connection import IOLoop

from replication.broker.publisher import Publisher

MEGABYTE = 1 << 20


class Owner:
    """A publisher, its loop, and all that it reported."""

    def __init__(self, url: str, stall_seconds: float = 30) -> None:
        self.loop = IOLoop()
        self.loop.activate_poller()
        self.opened = 0
        self.confirmed: list[tuple[str, int]] = []
        self.lost: list[str] = []
        self.publisher = Publisher(
            self.loop,
            url,
            on_open=self._open,
            on_confirmed=lambda stream, token: self.confirmed.append((stream, token)),
            on_lost=self.lost.append,
            stall_seconds=stall_seconds,
        )

    def connect(self) -> None:
        before = self.opened
        self.publisher.connect()
        self.until(lambda: self.opened > before, "the publisher to open")

    def declare(self, stream: str, max_bytes: int = 64 * MEGABYTE, max_age_days: int = 14) -> None:
        done: list[None] = []
        self.publisher.declare(stream, max_bytes=max_bytes, max_age_days=max_age_days, done=lambda: done.append(None))
        self.until(lambda: bool(done), f"{stream} to be declared")

    def delete(self, stream: str) -> None:
        done: list[None] = []
        self.publisher.delete(stream, lambda: done.append(None))
        self.until(lambda: bool(done), f"{stream} to be deleted")

    def append(self, stream: str, *bodies: bytes) -> None:
        """Publish `bodies` with tokens from 1 and wait until all are confirmed."""
        for token, body in enumerate(bodies, 1):
            self.publisher.publish(stream, body, token)
        self.until(lambda: self.publisher.unconfirmed_bytes == 0, "all to be confirmed")

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
        """Turn the loop until `condition` holds; fail after `seconds`."""
        late: list[None] = []
        timer = self.loop.call_later(seconds, lambda: late.append(None))
        while not condition():
            if late:
                raise TimeoutError(f"waited {seconds} s for {what}")
            self.loop.poll()
            self.loop.process_timeouts()
        self.loop.remove_timeout(timer)

    def end(self) -> None:
        done: list[None] = []
        self.publisher.close()
        self.loop.call_later(0.1, lambda: done.append(None))
        self.until(lambda: bool(done), "the goodbye to go out")
        self.loop.deactivate_poller()
        self.loop.close()

    def _open(self) -> None:
        self.opened += 1

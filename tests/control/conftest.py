"""Two sites on kombu's in-memory broker: real letters, real signatures, no server."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from replication.broker.bus import Line, serve
from replication.control.answering import Answerer, Service
from replication.control.asking import Peers
from replication.wire.signing import Signer, Verifier
from tests.wire.conftest import signer_of

MEMORY = "memory://"
_numbers = itertools.count(1)


class Site:
    """One that answers, under a name of its own."""

    def __init__(self, services: dict[str, Service]) -> None:
        self.name, self.asker = f"answers{next(_numbers)}", "taipei"
        self.signers = {self.name: signer_of(b"a"), self.asker: signer_of(b"t"), "shanghai": signer_of(b"s")}
        self.verifier = Verifier({name: sign.public_pem for name, sign in self.signers.items()})
        self.counted: list[tuple[str, str]] = []
        self.answerer = Answerer(self.name, [self.asker], self.signers[self.name], self.verifier, services, self._count)

    def _count(self, peer: str, reason: str) -> None:
        self.counted.append((peer, reason))

    def peers(self, sign: Signer | None = None) -> Peers:
        """Its peer, who asks."""
        line = Line(lambda: MEMORY, self.name)
        return Peers(self.asker, sign or self.signers[self.asker], self.verifier, {self.name: line})

    @contextmanager
    def answering(self) -> Iterator[None]:
        goes_on = threading.Event()
        thread = threading.Thread(target=serve, args=(MEMORY, self.name, self.answerer, lambda: not goes_on.is_set()))
        thread.start()
        try:
            yield
        finally:
            goes_on.set()
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture
def site() -> Callable[..., Site]:
    return lambda **services: Site(services)

"""Quiet latency: from a commit's return at one site until a query at the other sees it, with no WAN delay.

One process writes and looks, so there is one clock. The looker asks by primary key for what is outstanding, every
two milliseconds and a query's time; what that adds is part of the figure.
"""

import threading
import time
from statistics import quantiles
from uuid import UUID

from tests.bench.backlog import Backlog, Connection, paced
from tests.bench.figures import Measured
from tests.bench.pair import Pair, running_pair, session

CHANGES = 3000
PER_SECOND = 50.0
POLL_SECONDS = 0.002
LOST_SECONDS = 60.0
TABLE = "customer"

KEYS = ("latency_p50_ms", "latency_p99_ms")


class Looker(threading.Thread):
    """Notes when each change that was announced becomes visible."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(daemon=True)
        self._connection = connection
        self._outstanding: dict[UUID, tuple[str | None, float]] = {}
        self._closed = threading.Event()
        self.latencies_ms: list[float] = []

    def expect(self, id_: UUID, phone: str | None) -> None:
        """A change is committed now: a row, or its phone."""
        self._outstanding[id_] = phone, time.monotonic()

    def finish(self) -> None:
        """Return when all that was expected has been seen; raises TimeoutError if it is not."""
        self._closed.set()
        self.join(LOST_SECONDS)
        if self.is_alive():
            raise TimeoutError(f"{len(self._outstanding)} changes were never seen at the peer")

    def run(self) -> None:
        while self._outstanding or not self._closed.is_set():
            time.sleep(POLL_SECONDS)
            self._look()

    def _look(self) -> None:
        waiting = dict(self._outstanding)
        query = f"select id, phone from {TABLE} where id = any (%s)"
        visible = self._connection.execute(query, (list(waiting),), prepare=True).fetchall() if waiting else []
        seen = time.monotonic()
        for id_, phone in visible:
            expected, committed = waiting[id_]  # type: ignore[index]
            if expected in (None, phone):
                self.latencies_ms.append((seen - committed) * 1000)
                del self._outstanding[id_]  # type: ignore[arg-type]


def measure(changes: int = CHANGES) -> Measured:
    """Write quietly at the origin and look at the peer."""
    with running_pair() as pair, session(pair.peer) as looking:
        pair.create(TABLE)
        Backlog(pair.at_origin, TABLE).write(200)
        pair.settle()
        looker = Looker(looking)
        looker.start()
        _write(pair, looker, changes)
        looker.finish()
        pair.verify()
    details = {"changes": len(looker.latencies_ms), "per_second": PER_SECOND}
    details["max_ms"] = round(max(looker.latencies_ms), 1)
    percentiles = quantiles(looker.latencies_ms, n=100, method="inclusive")
    return {"latency_p50_ms": (percentiles[49], details), "latency_p99_ms": (percentiles[98], details)}


def _write(pair: Pair, looker: Looker, changes: int) -> None:
    """Updates go to the row that was inserted longest ago: nothing of it is outstanding any more."""
    writer = Backlog(pair.at_origin, TABLE, seed=2)
    settled = iter(writer.ids() * (changes // 200 + 1))
    for turn in paced(changes, PER_SECOND):
        if turn % 2:
            id_ = next(settled)
            looker.expect(id_, writer.update_one(id_))
        else:
            looker.expect(writer.insert_one(), None)

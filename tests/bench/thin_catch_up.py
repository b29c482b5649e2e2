"""A site is cut off for an hour while another writes; then a line of 64 kbit/s is all it has, and writing goes on.

Caught up is a site that shows what was committed ten seconds ago: on such a line a block of changes takes seconds.
"""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench import backlog
from tests.bench.backlog import Backlog
from tests.bench.figures import Measured
from tests.bench.pair import Pair, UnequalError, running_pair, session
from tests.bench.thin import PER_SECOND, RATE, TABLE

CUT_SECONDS = 3600
BEHIND_SECONDS = 10.0
LONGEST_SECONDS = 3 * 3600.0

KEYS = ("thinline_catchup_s",)


def measure(cut_seconds: int = CUT_SECONDS) -> Measured:
    """Cut for so long, heal, and clock."""
    with running_pair(rate=RATE) as pair:
        pair.create(TABLE)
        pair.settle()
        pair.stack.wan.shape(rate=RATE)
        pair.stack.wan.cut()
        with _writing(pair) as writer:
            time.sleep(cut_seconds)
            waiting = writer.written
            before = pair.wan_bytes()
            pair.stack.wan.heal()
            began = time.monotonic()
            _await_caught_up(pair)
            seconds = time.monotonic() - began
            carried, meanwhile = pair.wan_bytes() - before, writer.written - waiting
        pair.verify()
    details = {"cut_seconds": cut_seconds, "per_second": PER_SECOND, "waiting": waiting, "meanwhile": meanwhile}
    return {"thinline_catchup_s": (seconds, {**details, "bytes": carried})}


class _Writer(threading.Thread):
    """Writes at the origin, at a steady pace, in a session of its own."""

    def __init__(self, pair: Pair) -> None:
        super().__init__(daemon=True)
        self._pair, self.stopped, self.written = pair, threading.Event(), 0
        self.fault: BaseException | None = None

    def run(self) -> None:
        try:
            with session(self._pair.origin) as connection:
                for _ in Backlog(connection, TABLE).quietly(round(LONGEST_SECONDS * PER_SECOND), PER_SECOND):
                    self.written += 1
                    if self.stopped.is_set():
                        return
        except BaseException as fault:  # noqa: BLE001  raised where it is waited for
            self.fault = fault


@contextmanager
def _writing(pair: Pair) -> Iterator[_Writer]:
    writer = _Writer(pair)
    writer.start()
    yield writer
    writer.stopped.set()
    writer.join(30)
    if writer.fault is not None:
        raise writer.fault


def _await_caught_up(pair: Pair) -> None:
    """Wait until the peer has what the origin had a little while ago."""
    query = "select from kuroshio.position where origin = %s and lsn >= %s::pg_lsn"
    seen: deque[tuple[float, str]] = deque()
    end = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < end:
        seen.append((time.monotonic(), backlog.end_of_wal(pair.at_origin)))
        while seen[0][0] < time.monotonic() - BEHIND_SECONDS:
            seen.popleft()
        if pair.at_peer.execute(query, (pair.origin.name, seen[0][1])).fetchone() is not None:
            return
        time.sleep(1)
    raise UnequalError(f"not caught up in {LONGEST_SECONDS:g} s")

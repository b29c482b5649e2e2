"""A backlog that was written quietly, read by a peer on a thin line: bytes a change at the emulator, both directions.

Capture runs while it is written, so that its blocks are those of a quiet second and not of a hurry. Then the peer,
whose site file says 64 kbit/s and whose line is that thin, reads it.
"""

from tests.bench import backlog
from tests.bench.backlog import Backlog
from tests.bench.figures import Measured
from tests.bench.pair import running_pair

CHANGES = 5000
PER_SECOND = 50.0
RATE = "64kbit"
TABLE = "customer"

KEYS = ("thin_bytes_per_change",)


def measure(changes: int = CHANGES) -> Measured:
    """Write while the peer does not read; then count what its reading takes."""
    with running_pair(rate=RATE) as pair:
        pair.create(TABLE)
        pair.settle()
        pair.stack.stop(f"{pair.peer.name}-apply")
        Backlog(pair.at_origin, TABLE).write_quietly(changes, PER_SECOND)
        lsn = backlog.end_of_wal(pair.at_origin)
        pair.stack.wan.shape(rate=RATE)
        before = pair.stack.wan.counters()
        pair.stack.start(f"{pair.peer.name}-apply")
        pair.await_applied(lsn)
        after = pair.stack.wan.counters()
        pair.verify()
    carried = {link: after[link]["bytes"] - before[link]["bytes"] for link in after}
    details = {"changes": changes, "per_second": PER_SECOND, "bytes_by_link": carried}
    return {"thin_bytes_per_change": (sum(carried.values()) / changes, details)}

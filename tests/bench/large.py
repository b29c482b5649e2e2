"""A transaction of a million rows (scenario 15): over a fast line that is cut in its middle, and over 64 kbit/s on
virtual time (tests/simulation/large.py)."""

from deploy.local.wan.client import Lines
from replication.capture.session import PART_CHANGES
from tests.bench import backlog
from tests.bench.figures import Measured
from tests.bench.memory import APPLIED_SECONDS, ROWS, TABLE, insert
from tests.bench.pair import Pair, running_pair
from tests.simulation.large import RATE_BYTES, travel
from tests.stack.proof.sites import until

CUTS = 3
CUT_KEYS = ("large_cut_resent_ratio",)
THIN_KEYS = ("large_thin_hours", "large_thin_ratio_to_line")
COUNT = f"SELECT count(*) FROM {TABLE}"
STAGED = "SELECT count(*) FROM kuroshio.staged_part"
STAGED_BYTES = "SELECT sum(length(body)) FROM kuroshio.staged_part"


def measure_cut(rows: int = ROWS) -> Measured:
    """The line is cut three times while the parts arrive; nothing shows before all does, and little is sent twice."""
    with running_pair() as pair:
        pair.create(TABLE)
        pair.settle()
        before, parts = _carried(pair), rows // PART_CHANGES
        insert(pair, rows)
        seen, stored = set[int](), 1.0
        for cut in range(1, CUTS + 1):
            wanted = cut * parts // (CUTS + 1)
            until("the next parts are staged", lambda: _number(pair, STAGED) >= wanted, APPLIED_SECONDS)  # noqa: B023
            stored = _number(pair, STAGED_BYTES) / _number(pair, STAGED) * parts
            seen.add(_number(pair, COUNT))
            pair.stack.wan.cut(Lines(site=pair.origin.name, peer=pair.peer.name), mode="reset")
            pair.stack.wan.heal()
        pair.await_applied(backlog.end_of_wal(pair.at_origin), APPLIED_SECONDS)
        carried = _carried(pair) - before
        if seen != {0} or _number(pair, COUNT) != rows:
            raise RuntimeError(f"a part of the transaction was visible: {seen}")
        pair.verify()
    return {CUT_KEYS[0]: (carried / stored, {"rows": rows, "cuts": CUTS, "carried": carried, "stored": round(stored)})}


def measure_thin(rows: int = ROWS) -> Measured:
    """How long it takes on a line that fails every few minutes, and how much longer than its bytes alone would."""
    journey = travel(rows)
    if set(journey.database.seen) != {0, rows, rows + 1}:
        raise RuntimeError(f"a part of the transaction was visible: {set(journey.database.seen)}")
    alone = journey.sent_bytes / RATE_BYTES
    details = {
        "rows": rows,
        "bytes": journey.sent_bytes,
        "failures": journey.line.failures,
        "longest_message_seconds": round(journey.line.longest_seconds, 1),
    }
    return {THIN_KEYS[0]: (journey.line.now / 3600, details), THIN_KEYS[1]: (journey.line.now / alone, {"rows": rows})}


def _carried(pair: Pair) -> int:
    return int(pair.stack.wan.counters()[f"{pair.origin.name}>{pair.peer.name}"]["bytes"])


def _number(pair: Pair, query: str) -> int:
    row = pair.at_peer.execute(query.encode()).fetchone()
    assert row is not None
    return int(str(row[0]))

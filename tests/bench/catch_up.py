"""How fast a backlog gets to a peer, and in how many bytes: ours, through RabbitMQ, and pglogical's own subscription.

The two take turns in one run, each on a fresh table a round. Each one's log reader has passed what the other left in
the WAL before its backlog is written; ours is stopped while pglogical is measured, and the other way round.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.bench import backlog
from tests.bench.backlog import Backlog
from tests.bench.figures import Measured, median_of
from tests.bench.pair import Pair, UnequalError, running_pair
from tests.bench.pglogical import Subscription, subscription

CHANGES = 100_000
ROUNDS = 3

KEYS = (
    "catchup_ratio_vs_pglogical",
    "catchup_changes_per_s",
    "pglogical_changes_per_s",
    "bytes_ratio_vs_pglogical",
    "bytes_per_change",
    "pglogical_bytes_per_change",
)
LONG_KEYS = ("catchup_long_changes_per_s",)


@dataclass(frozen=True)
class Run:
    """One backlog's way to the peer."""

    changes: int
    seconds: float
    bytes: int

    @property
    def rate(self) -> float:
        return self.changes / self.seconds

    @property
    def bytes_per_change(self) -> float:
        return self.bytes / self.changes


def measure(changes: int = CHANGES, rounds: int = ROUNDS) -> Measured:
    """Alternate the two, verify, and compare round by round."""
    ours: list[Run] = []
    theirs: list[Run] = []
    with running_pair() as pair, subscription(pair) as pglogical:
        turns: list[Callable[[int], None]] = [
            lambda number: ours.append(run_ours(pair, f"customer_{number}", changes)),
            lambda number: theirs.append(run_pglogical(pglogical, f"customer_{number}", changes)),
        ]
        pair.stop_daemons()
        for number in range(rounds):
            for turn in turns if number % 2 == 0 else reversed(turns):
                turn(number)
        pair.start_daemons()
        pair.verify()
    return _figures(ours, theirs)


def measure_long(changes: int = 10 * CHANGES) -> Measured:
    """Ten times the backlog, ours alone: does the rate last?"""
    with running_pair() as pair:
        pair.stop_daemons()
        run = run_ours(pair, "customer", changes)
        pair.start_daemons()
        pair.verify()
    return {"catchup_long_changes_per_s": (run.rate, {"changes": changes})}


def run_ours(pair: Pair, table: str, changes: int) -> Run:
    """Write a backlog while the daemons are stopped, as they are before and after; clock its way to the peer."""
    pair.start_daemons()
    pair.create(table)
    pair.settle()
    pair.stop_daemons()
    Backlog(pair.at_origin, table).write(changes)
    lsn = backlog.end_of_wal(pair.at_origin)
    bytes_before = pair.wan_bytes()
    began = pair.start_daemons()
    seconds = pair.await_applied(lsn) - began
    carried = pair.wan_bytes() - bytes_before
    pair.stop_daemons()
    _require_rows(pair, table, changes // 2)
    return Run(changes, seconds, carried)


def run_pglogical(pglogical: Subscription, table: str, changes: int) -> Run:
    """The same with pglogical's subscription: from enabling it to the slot's confirmed position."""
    pglogical.create(table)
    pglogical.settle()
    Backlog(pglogical.provider, table).write(changes)
    lsn = backlog.end_of_wal(pglogical.provider)
    bytes_before = pglogical.wan_bytes()
    seconds = pglogical.catch_up(lsn)
    carried = pglogical.wan_bytes() - bytes_before
    pglogical.require_equal(table)
    return Run(changes, seconds, carried)


def _require_rows(pair: Pair, table: str, rows: int) -> None:
    found = len(Backlog(pair.at_peer, table).ids())
    if found != rows:
        raise UnequalError(f"{table}: {found} of {rows} rows are at the peer")


def _figures(ours: list[Run], theirs: list[Run]) -> Measured:
    details = {"changes": ours[0].changes, "rounds": len(ours)}
    return {
        "catchup_ratio_vs_pglogical": median_of([a.rate / b.rate for a, b in zip(ours, theirs, strict=True)], details),
        "catchup_changes_per_s": median_of([run.rate for run in ours], details),
        "pglogical_changes_per_s": median_of([run.rate for run in theirs], details),
        "bytes_ratio_vs_pglogical": median_of([a.bytes / b.bytes for a, b in zip(ours, theirs, strict=True)], details),
        "bytes_per_change": median_of([run.bytes_per_change for run in ours], details),
        "pglogical_bytes_per_change": median_of([run.bytes_per_change for run in theirs], details),
    }

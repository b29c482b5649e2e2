"""What conflicts cost: the rate of catching up while one change in a hundred meets a concurrent edit of the same cell
at the peer, as a share of the rate of the same backlog without these."""

from tests.bench import backlog
from tests.bench.backlog import Backlog
from tests.bench.figures import Measured, median_of
from tests.bench.pair import Pair, UnequalError, running_pair

CHANGES = 50_000
ROUNDS = 3
SHARE = 0.01

KEYS = ("conflict_rate_ratio",)


def measure(changes: int = CHANGES) -> Measured:
    """Alternate with and without; both on a fresh table whose rows are at both sites."""
    free: list[float] = []
    conflicting: list[float] = []
    with running_pair() as pair:
        for number in range(ROUNDS):
            for rates, share in ((free, 0.0), (conflicting, SHARE)):
                rates.append(_rate(pair, f"customer_{number}_{round(share * 100)}", changes, share))
        recorded = _conflicts(pair)
        pair.verify()
    if recorded < 0.8 * ROUNDS * SHARE * changes:
        raise UnequalError(f"only {recorded} conflicts were recorded")
    details = {
        "changes": changes,
        "conflicts": recorded,
        "share": SHARE,
        "changes_per_s": [round(rate) for rate in free],
    }
    return {"conflict_rate_ratio": median_of([a / b for a, b in zip(conflicting, free, strict=True)], details)}


def _rate(pair: Pair, table: str, changes: int, share: float) -> float:
    """Changes a second of a backlog of updates. The peer's own edits are of rows that the backlog has, too."""
    pair.create(table)
    writer = Backlog(pair.at_origin, table)
    writer.write(changes)
    pair.settle()
    pair.stop_daemons()
    ids = writer.ids()
    writer.update_each(ids)
    writer.update(ids, changes - len(ids))
    Backlog(pair.at_peer, table, seed=2).update_each(ids[: round(changes * share)])
    lsn = backlog.end_of_wal(pair.at_origin)
    began = pair.start_daemons()
    return changes / (pair.await_applied(lsn) - began)


def _conflicts(pair: Pair) -> int:
    row = pair.at_peer.execute("select count(*) from kuroshio.conflict").fetchone()
    assert row is not None
    return int(str(row[0]))

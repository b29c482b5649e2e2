"""The greatest memory of capture and of apply while a transaction of a million rows passes: the kernel's own high-water
mark of their resident sets (VmHWM), shared libraries included, in units of 10^6 bytes."""

from collections.abc import Callable
from pathlib import Path

from tests.bench import backlog
from tests.bench.figures import Measured
from tests.bench.pair import Pair, running_pair

ROWS = 1_000_000
TABLE = "customer"

APPLIED_SECONDS = 900.0

KEYS = ("capture_peak_mb", "apply_peak_mb")
UPDATE_KEYS = ("capture_peak_update_mb", "apply_peak_update_mb")

INSERT = f"""insert into {TABLE} (name, phone, credit, tags, note)
  select '陳志明' || number %% 100000, '+886-2-' || (number * 7919::bigint) %% 10000000, number, %s, %s
    from generate_series(1, %s) as number"""
UPDATE = f"update {TABLE} set phone = '+886-2-' || floor(random() * 10000000), updated = now()"


def measure(rows: int = ROWS) -> Measured:
    """One transaction that inserts."""
    with running_pair() as pair:
        pair.create(TABLE)
        pair.settle()
        peaks = _peaks_mb(pair, lambda: insert(pair, rows))
        pair.verify()
    return {key: (peak, {"rows": rows}) for key, peak in zip(KEYS, peaks, strict=True)}


def measure_updates(rows: int = ROWS) -> Measured:
    """One transaction that updates as many rows, which daemons that were started anew have not seen."""
    with running_pair() as pair:
        pair.create(TABLE)
        insert(pair, rows)
        pair.settle()
        pair.stop_daemons()
        pair.start_daemons()
        peaks = _peaks_mb(pair, lambda: pair.at_origin.execute(UPDATE))
        pair.verify()
    return {key: (peak, {"rows": rows}) for key, peak in zip(UPDATE_KEYS, peaks, strict=True)}


def insert(pair: Pair, rows: int) -> None:
    """Insert rows like those of the backlog, in one transaction."""
    pair.at_origin.execute(INSERT, (backlog.TAGS, backlog.NOTE, rows))


def _peaks_mb(pair: Pair, write: Callable[[], object]) -> list[float]:
    """Of the origin's capture and the peer's apply, once what is written has been applied."""
    pids = _pids(pair)
    write()
    pair.await_applied(backlog.end_of_wal(pair.at_origin), APPLIED_SECONDS)
    if _pids(pair) != pids:
        raise RuntimeError("a daemon was started anew meanwhile: its peak is not known")
    return [_peak_mb(pid) for pid in pids]


def _pids(pair: Pair) -> list[int]:
    """Each daemon is one process."""
    return [pair.stack.supervisor.pid(name) for name in (f"{pair.origin.name}-capture", f"{pair.peer.name}-apply")]


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6

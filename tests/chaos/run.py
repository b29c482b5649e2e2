"""Chaos: people write at four sites while programs, lines, clocks and disks fail by a plan that follows from a seed.

In the end everything is mended, and then: what was acknowledged is there at every site (`chaos_lost`), all sites are
equal (`chaos_divergent`), and how long the longest of all local writes took while its own database was not what had
failed (`chaos_max_write_stall_ms`). The seed gives the same faults again, not the same instants: programs run as
they run.
"""

import json
import secrets
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.local.programs import DAEMONS, INFRASTRUCTURE, names
from deploy.local.supervisor import RUNNING
from tests.bench.figures import Measured
from tests.bench.pair import UnequalError
from tests.chaos.faults import STRIKES_DATABASE, Inflicted, Lane
from tests.chaos.plan import LANES, faults
from tests.chaos.rivals import CREATE, FIRST, RULES, Rival, miscounted
from tests.stack.proof.load import Load, Writer, load, make_table
from tests.stack.proof.sites import Sites, running_sites, until

KEYS = ("chaos_lost", "chaos_divergent", "chaos_max_write_stall_ms")
SITES = ("taipei", "kaohsiung", "shanghai", "us")
MINUTES = 60
PACE_SECONDS = 0.1
DISK = "2g"
MENDED_SECONDS, APPLIED_SECONDS, VERIFIED_SECONDS = 180.0, 900, 600


def measure(minutes: float = MINUTES, seed: int | None = None) -> Measured:
    """One run; raises UnequalError if anything acknowledged is lost or the sites differ."""
    seed = seed or secrets.randbelow(1_000_000)
    print(f"  seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="kuroshio-chaos-") as folder, _sites(Path(folder)) as sites:
        with load(sites, seed, PACE_SECONDS) as users, _rivals(sites, seed) as rivals:
            inflicted = _inflict(sites, seed, minutes * 60)
            until("all programs run again", lambda: _mended(sites), MENDED_SECONDS, sites.logs)
        for name in sites.names:
            until(f"{name} answers", lambda: sites.value(name, "SELECT true"))  # noqa: B023  the last session fell
        return _judged(sites, users, rivals, inflicted, {"seed": seed, "minutes": minutes})


@contextmanager
def _sites(folder: Path) -> Iterator[Sites]:
    with running_sites(folder, SITES, RULES, CREATE, skewed=SITES, disk=DISK) as sites:
        make_table(sites)
        sites.run(SITES[0], FIRST)
        sites.wait_and_verify()
        yield sites


@contextmanager
def _rivals(sites: Sites, seed: int) -> Iterator[list[Rival]]:
    stop = threading.Event()
    rivals = [Rival(sites, name, seed, stop, PACE_SECONDS) for name in sites.names]
    for rival in rivals:
        rival.start()
    yield rivals
    stop.set()
    for rival in rivals:
        rival.finish()


def _inflict(sites: Sites, seed: int, seconds: float) -> list[Inflicted]:
    lanes = [Lane(name, sites, faults(seed, name, sites.names, seconds)) for name in LANES]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    for lane in lanes:
        if lane.fault is not None:
            raise lane.fault
    return [one for lane in lanes for one in lane.inflicted]


def _mended(sites: Sites) -> bool:
    programs, states = names(sites.stack.config, *INFRASTRUCTURE, *DAEMONS), sites.stack.supervisor.states()
    return {states[name] for name in programs} == {RUNNING}


def _judged(
    sites: Sites, users: Load, rivals: list[Rival], inflicted: list[Inflicted], details: dict[str, Any]
) -> Measured:
    divergent, why = _differences(sites)
    lost = [one for site in sites.names for one in users.lost(site)] + list(miscounted(sites, rivals))
    writers: list[Writer] = [*users.users.values(), *rivals]
    fallen = [f"{writer.name}: {writer.fault!r}" for writer in writers if writer.fault]
    if lost or divergent or fallen:
        raise UnequalError(
            f"seed {details['seed']}: {len(lost)} lost, {divergent} differ\n{lost[:5]}\n{fallen}\n{why}\n{sites.logs()}"
        )
    longest = max((ended - began for began, ended in _unexplained(writers, inflicted)), default=0.0)
    details |= {
        "faults": dict(Counter(one.fault.kind for one in inflicted)),
        "acknowledged": sum(users.acknowledged.values()) + sum(sum(rival.acknowledged.values()) for rival in rivals),
        "failed_writes": sum(writer.failures for writer in writers),
        "longest_with_its_database_down_ms": round(1000 * max(b - a for w in writers for a, b in w.stalls)),
    }
    return {
        "chaos_lost": (len(lost), details),
        "chaos_divergent": (divergent, details),
        "chaos_max_write_stall_ms": (1000 * longest, details),
    }


def _differences(sites: Sites) -> tuple[int, str]:
    """How many rows differ or wait by the operator's own commands, and their words."""
    waited = sites.replication("wait", "--timeout", str(APPLIED_SECONDS), seconds=APPLIED_SECONDS + 60)
    verified = sites.replication("verify", "--json", "--timeout", "60", seconds=VERIFIED_SECONDS)
    if verified.returncode not in (0, 1):
        raise UnequalError(f"verify could not tell\n{waited.stderr}{verified.stdout}{verified.stderr}{sites.logs()}")
    report = json.loads(verified.stdout)
    return len(report["differences"]) + report["parked_total"], waited.stderr + verified.stdout


def _unexplained(writers: Iterable[Writer], inflicted: Sequence[Inflicted]) -> Iterator[tuple[float, float]]:
    """Writes that took long although nothing had been done to the database that they went to."""
    for writer in writers:
        struck = [one for one in inflicted if one.fault.kind in STRIKES_DATABASE and one.fault.site == writer.site]
        for began, ended in writer.stalls:
            if not any(one.began < ended and began < one.ended for one in struck):
                yield began, ended

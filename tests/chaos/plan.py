"""Which fault strikes whom, when, and for how long: it follows from a seed alone, so that a run can be played again.

Three lanes run beside each other: what is done to programs, to lines, and to the ground that a site stands on (its
clock, its disk). In a lane one fault follows another, so no two of a kind meet. A lane deals its kinds like a deck of
cards: each of them comes before any comes again.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

LANES: Mapping[str, Sequence[str]] = {
    "programs": (
        *(f"kill {program}" for program in ("postgres", "broker", "capture", "apply", "control")),
        *(f"freeze {program}" for program in ("broker", "capture", "apply")),
        "restart broker",
    ),
    "lines": ("cut site", "cut line", "cut one way", "reset line", "slow site", "slow line"),
    "ground": ("clock", "disk full", "disk low"),
}
REST_SECONDS = (1.0, 8.0)
LASTING_SECONDS = (0.5, 20.0)
LONG_SHARE, LONG_SECONDS = 0.1, 90.0
AHEAD_SECONDS, BEHIND_SECONDS = 45, 600
"""As far as a clock may be ahead is the bound beyond which its edits wait; behind, it is those of others that wait."""


@dataclass(frozen=True)
class Fault:
    """One fault: after a rest, at a site (for a line: between it and its peer), for so long."""

    kind: str
    site: str
    peer: str
    rest_seconds: float
    lasting_seconds: float
    clock_seconds: int

    def __str__(self) -> str:
        between = {"line": f" - {self.peer}", "way": f" > {self.peer}"}.get(self.kind.split()[-1], "")
        clock = f" {self.clock_seconds:+d} s" if self.kind == "clock" else ""
        return f"{self.kind}{clock} {self.site}{between}, {self.lasting_seconds:.1f} s"


def faults(seed: int, lane: str, sites: Sequence[str], seconds: float) -> Iterator[Fault]:
    """The lane's faults in their order: as many as end within this time if none takes longer than it is to last."""
    chance = random.Random(f"{seed} {lane}")
    left = seconds
    for kind in _dealt(chance, LANES[lane]):
        fault = _fault(chance, kind, sites)
        left -= fault.rest_seconds + fault.lasting_seconds
        if left < 0:
            return
        yield fault


def _dealt(chance: random.Random, kinds: Sequence[str]) -> Iterator[str]:
    while True:
        yield from chance.sample(kinds, len(kinds))


def _fault(chance: random.Random, kind: str, sites: Sequence[str]) -> Fault:
    site, peer = chance.sample(sites, 2)
    longest = LONG_SECONDS if chance.random() < LONG_SHARE else LASTING_SECONDS[1]
    return Fault(
        kind,
        site,
        peer,
        rest_seconds=chance.uniform(*REST_SECONDS),
        lasting_seconds=chance.uniform(LASTING_SECONDS[0], longest),
        clock_seconds=chance.choice([chance.randint(1, AHEAD_SECONDS), -chance.randint(1, BEHIND_SECONDS)]),
    )

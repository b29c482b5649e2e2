"""Chaos on four sites: python -m tests.chaos [--minutes N] [--seed N]; figures go to build/bench.json,
of other lengths to build/bench-tried.json."""

import argparse
import signal
import sys
from functools import partial
from pathlib import Path

from tests.bench.__main__ import FILE, TRIED, run
from tests.bench.figures import Figures
from tests.bench.parts import Part
from tests.chaos.run import KEYS, MINUTES, measure


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=int, default=MINUTES, metavar="N")
    parser.add_argument("--seed", type=int, metavar="N", help="play these faults again; without it, others each time")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # the stack is taken down on the way out
    part = Part("chaos", KEYS, partial(measure, seed=options.seed), options.minutes, "minutes")
    return 0 if run(part, options.minutes, Figures(file_for(options.minutes))) else 1


def file_for(minutes: int) -> Path:
    """Where figures go: those of another length are not comparable."""
    return FILE if minutes == MINUTES else TRIED


if __name__ == "__main__":
    raise SystemExit(main())

"""``python -m tests.simulation [--seed S] [--steps N] [--sites N] [--count N]``: play seeded histories."""

import argparse
import sys
import time
from collections import Counter

from tests.simulation.history import DivergedError, History


def main() -> int:
    """0: all converged. 1: one did not; its seed is printed, and the fewest steps that show it."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--steps", type=int, default=400, help="steps of each history (400)")
    parser.add_argument("--sites", type=int, default=4, help="how many sites (4)")
    parser.add_argument("--count", type=int, default=1, help="how many seeds (1)")
    options = parser.parse_args()
    done, began = Counter[str](), time.monotonic()
    for seed in range(options.seed, options.seed + options.count):
        try:
            done += History(seed, options.sites).play(options.steps).done
        except DivergedError as fault:
            print(f"{fault}\nfewest steps: {fewest_steps(seed, options.sites, options.steps)}", file=sys.stderr)
            return 1
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(done.items()))
    print(f"{options.count} histories at {options.sites} sites converged in {time.monotonic() - began:.1f} s: {told}")
    return 0


def fewest_steps(seed: int, sites: int, steps: int) -> int:
    """A history is a run of dice, so its first steps are those of every longer one."""
    for few in range(1, steps):
        try:
            History(seed, sites).play(few)
        except DivergedError:
            return few
    return steps


if __name__ == "__main__":
    sys.exit(main())

"""The scenario files on four running sites, each in several seeded orders of what it leaves open.

``KUROSHIO_SCENARIO_ORDERS=6`` plays more of them (`make bench-long`).
"""

import os
import random
from argparse import Namespace
from pathlib import Path

import pytest

from replication.commands import wait
from tests.simulation.scenario import delete_rules, files, read
from tests.stack.proof.sites import Sites, until
from tests.stack.scenarios.play import LineLostError, Play

ORDERS = int(os.environ.get("KUROSHIO_SCENARIO_ORDERS", "1"))
KILLED_EVERY = 4
"""In one order of so many an applier is killed while the rest comes in."""
ATTEMPTS = 3
PATIENCE_SECONDS = 60
FILES = files(without="in memory")


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_the_scenario_ends_as_it_says_on_running_sites(sites: Sites, file: Path) -> None:
    steps = list(read(file.read_text()))
    deletes = delete_rules(steps)
    for order in range(ORDERS):
        play = played(sites, file.stem, order, steps, deletes[order % len(deletes)])
        meet(sites, play)
        play.require()


def played(sites: Sites, name: str, order: int, steps: list[list[str]], delete: str) -> Play:
    """One order of a file; again where the machine was too slow for it."""
    for attempt in range(ATTEMPTS):
        play = Play(sites, f"{name}-{order}-{attempt}", delete, random.Random(f"{name} {order}"))
        try:
            play.play(steps, kill=order % KILLED_EVERY == KILLED_EVERY - 1)
        except LineLostError:
            continue
        else:
            return play
        finally:
            sites.stack.wan.heal()
    raise AssertionError(f"in each of {ATTEMPTS} attempts a line was lost")


def meet(sites: Sites, play: Play) -> None:
    """All is applied, by the operator's own word; nothing waits; and the run's rows are equal in data and in stamps."""
    assert wait.run(sites.stack.config, Namespace(timeout=PATIENCE_SECONDS)) == 0, sites.logs()
    for name in sites.names:
        until(f"nothing waits at {name}", lambda: not sites.parked(name), explain=lambda: str(sites.parked(name)))  # noqa: B023
    states = {name: play.states(name) for name in sites.names}
    assert all(state == states[sites.names[0]] for state in states.values()), "\n".join(map(str, states.items()))


def test_all_that_was_played_is_equal_by_the_operators_own_word(sites: Sites) -> None:
    sites.wait_and_verify()

"""Seeded histories of many sites in memory: how many converge; the set-wise apply against the merge on as many as two
thousand; the scenario files on four running sites in several orders each. One that fails ends its part, and says so."""

import os
import subprocess
import sys

from deploy.local.layout import ROOT
from tests.bench.figures import Measured
from tests.simulation.history import History

HISTORIES = 10_000
STEPS = 400
AT_FIFTY = 50
"""One history of fifty sites for so many of four."""
KEYS = ("simulated_histories", "simulated_histories_of_50_sites")

DIFFERENTIAL = 2000
DIFFERENTIAL_KEYS = ("differential_histories",)

SCENARIO_ORDERS = 8
SCENARIO_KEYS = ("scenario_orders_on_sites",)


def measure(count: int = HISTORIES) -> Measured:
    """Play them."""
    for seed in range(count):
        History(seed).play(STEPS)
    for seed in range(count // AT_FIFTY):
        History(seed, 50).play(4 * STEPS)
    return {KEYS[0]: (float(count), {"steps": STEPS}), KEYS[1]: (float(count // AT_FIFTY), {"steps": 4 * STEPS})}


def measure_differential(count: int = DIFFERENTIAL) -> Measured:
    """Apply so many histories to a real database, and compare."""
    _pytest("tests/postgres/test_differential.py", "KUROSHIO_DIFFERENTIAL", count)
    return {DIFFERENTIAL_KEYS[0]: (float(count), {})}


def measure_scenarios(orders: int = SCENARIO_ORDERS) -> Measured:
    """Play each file so often on running sites."""
    _pytest("tests/stack/scenarios", "KUROSHIO_SCENARIO_ORDERS", orders)
    return {SCENARIO_KEYS[0]: (float(orders), {})}


def _pytest(tests: str, variable: str, count: int) -> None:
    command = [sys.executable, "-m", "pytest", "-q", tests]
    subprocess.run(command, cwd=ROOT, env={**os.environ, variable: str(count)}, check=True)

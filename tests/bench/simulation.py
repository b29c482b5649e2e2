"""Seeded histories of many sites in memory: how many converge, and the set-wise apply against the merge on as many as
two thousand. One that diverges ends the part, and says its seed."""

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


def measure(count: int = HISTORIES) -> Measured:
    """Play them."""
    for seed in range(count):
        History(seed).play(STEPS)
    for seed in range(count // AT_FIFTY):
        History(seed, 50).play(4 * STEPS)
    return {KEYS[0]: (float(count), {"steps": STEPS}), KEYS[1]: (float(count // AT_FIFTY), {"steps": 4 * STEPS})}


def measure_differential(count: int = DIFFERENTIAL) -> Measured:
    """Apply so many histories to a real database, and compare."""
    command = [sys.executable, "-m", "pytest", "-q", "tests/postgres/test_differential.py"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "KUROSHIO_DIFFERENTIAL": str(count)}, check=True)
    return {DIFFERENTIAL_KEYS[0]: (float(count), {})}

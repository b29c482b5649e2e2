"""How many mangled inputs both decoders took with nothing but a DecodeError (tests/wire/fuzz.py), on all processors."""

import json
import os
import subprocess
import sys

from deploy.local.layout import ROOT
from tests.bench.figures import Measured

INPUTS = 10_000_000
KEYS = ("fuzzed_inputs", "fuzz_peak_mb")
_TARGETS = 2


def measure(count: int = INPUTS) -> Measured:
    """Play so many inputs of fixed seeds, each process its own numbers."""
    workers = os.cpu_count() or 1
    each = -(-count // (workers * _TARGETS))
    command = [sys.executable, "-m", "tests.wire.fuzz", "--seed", "1", "--inputs", str(each), "--first"]
    running = [
        subprocess.Popen([*command, str(worker * each)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for worker in range(workers)
    ]
    said = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        raise AssertionError("an input did what it must not do: it is named above")
    found = [json.loads(line) for line in said]
    return {
        KEYS[0]: (float(sum(one["inputs"] for one in found)), {"seed": 1}),
        KEYS[1]: (float(max(one["peak_mb"] for one in found)), {}),
    }

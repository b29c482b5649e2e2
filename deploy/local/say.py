"""What the command line says while it works: a short line a step, with the time since the start."""

import sys
import time


class Say:
    """Prints a step when it begins, so that whoever waits knows for what."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._start = time.monotonic()

    def __call__(self, step: str) -> None:
        if not self._quiet:
            sys.stdout.write(f"[{time.monotonic() - self._start:5.1f} s] {step}\n")
            sys.stdout.flush()


class StackError(Exception):
    """The local sites cannot do what was asked; the message says why, and what to do."""

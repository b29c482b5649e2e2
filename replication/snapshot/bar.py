"""How far something has come, for whoever waits for it: one line that moves on a terminal, a line now and then
elsewhere."""

import sys
import time
from typing import TextIO

_WIDTH = 30
_TERMINAL_SECONDS, _LINE_SECONDS = 0.2, 10.0


class Bar:
    """Call ``at`` as often as you like."""

    def __init__(self, what: str, total: int, stream: TextIO | None = None) -> None:
        self._what = what
        self._total = max(total, 1)
        self._stream = stream or sys.stderr
        self._began = time.monotonic()
        self._shown = self._began

    def at(self, done: int) -> None:
        """So much of it is done."""
        now = time.monotonic()
        pause = _TERMINAL_SECONDS if self._stream.isatty() else _LINE_SECONDS
        if now - self._shown >= pause:
            self._shown = now
            self._show(min(done / self._total, 1.0), now - self._began)

    def done(self) -> None:
        """All of it is."""
        self._show(1.0, time.monotonic() - self._began)
        if self._stream.isatty():
            print(file=self._stream)

    def _show(self, share: float, seconds: float) -> None:
        full = round(share * _WIDTH)
        left = f", {seconds / share - seconds:.0f} s to go" if 0 < share < 1 and seconds > 1 else ""
        line = f"{self._what} [{'#' * full}{'.' * (_WIDTH - full)}] {share:4.0%}{left}"
        if self._stream.isatty():
            print(f"\r{line:<79}", end="", file=self._stream, flush=True)
        else:
            print(line, file=self._stream, flush=True)

"""The benchmarks: python -m tests.bench [--long] [--only NAME]… [--size N]

Figures are merged into build/bench.json. A part that fails, or whose sites are not equal afterwards, leaves no figure
behind, and the exit code is 1.
"""

import argparse
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from tests.bench.figures import ROOT, Figures
from tests.bench.parts import LONG, SHORT, Part

FILE = ROOT / "build" / "bench.json"
TRIED = ROOT / "build" / "bench-tried.json"  # of other sizes: not comparable


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # the stack is taken down on the way out
    file = options.file or (TRIED if options.size else FILE)
    figures = Figures(file)
    parts = _chosen(options.only, long=options.long)
    if options.long and not options.again:
        for part in [part for part in parts if figures.has(part.keys)]:
            print(f"{part.name}: was measured at this commit (--again measures it anew)", flush=True)
            parts.remove(part)
    failed = [part.name for part in parts if not run(part, options.size or part.size, figures)]
    print(f"figures: {file}" + (f"; FAILED: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    names = [part.name for part in (*SHORT, *LONG)]
    parser.add_argument("--only", action="append", metavar="NAME", choices=names, help=", ".join(names))
    parser.add_argument("--long", action="store_true", help="the long parts; one that was interrupted is begun again")
    parser.add_argument("--again", action="store_true", help="with --long: also what was measured at this commit")
    parser.add_argument("--size", type=int, metavar="N", help="another size, to try things: build/bench-tried.json")
    parser.add_argument("--file", type=Path, help="where figures go: build/bench.json")
    return parser.parse_args()


def _chosen(only: Sequence[str] | None, *, long: bool) -> list[Part]:
    if only:
        return [part for part in (*SHORT, *LONG) if part.name in only]
    return list(LONG if long else SHORT)


def run(part: Part, size: int, figures: Figures) -> bool:
    """Measure one part; its keys are in the file afterwards, or are not."""
    print(f"{part.name}: {size:,} {part.unit}", flush=True)
    begun = time.monotonic()
    try:
        measured = part.measure(size)
    except Exception:  # noqa: BLE001  the top of this process's loop: the other parts go on
        traceback.print_exc()
        figures.remove(part.keys)
        return False
    figures.put(measured, seconds=time.monotonic() - begun)
    for key, (number, _) in measured.items():
        print(f"  {key} = {number:.4g}", flush=True)
    return True


if __name__ == "__main__":
    raise SystemExit(main())

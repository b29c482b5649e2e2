"""The file of figures: one flat JSON object, key → number, and under `_meta` when, of which commit and how.

Figures are merged: a run replaces those that it measured and leaves the others, each with the date and commit
of its own. A part that fails takes its keys out, so that no figure outlives what it says.
"""

import json
import subprocess
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
META = "_meta"

Measured = dict[str, tuple[float, dict[str, Any]]]
"""Key → its number, and details: runs, medians, sizes."""


def median_of(runs: Sequence[float], details: Mapping[str, Any]) -> tuple[float, dict[str, Any]]:
    """The median, which a disturbed run does not move, with all runs among the details."""
    return median(runs), {**details, "runs": [_rounded(run) for run in runs]}


class Figures:
    """The figures in one file, which is replaced at once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, measured: Measured, *, seconds: float) -> None:
        """Merge what one part measured, and how long it took."""
        figures = self._read()
        common = {"date": datetime.now(UTC).isoformat(timespec="seconds"), **commit(), "part_seconds": round(seconds)}
        for key, (number, details) in measured.items():
            figures[key] = _rounded(number)
            figures[META][key] = {**common, **details}
        self._write(figures)

    def remove(self, keys: Collection[str]) -> None:
        """Take out what was not measured."""
        figures = self._read()
        for key in keys:
            figures.pop(key, None)
            figures[META].pop(key, None)
        self._write(figures)

    def has(self, keys: Collection[str]) -> bool:
        """Whether all of these were measured at the present commit."""
        meta, now = self._read()[META], commit()["commit"]
        return all(meta.get(key, {}).get("commit") == now for key in keys)

    def _read(self) -> dict[str, Any]:
        figures = json.loads(self._path.read_text()) if self._path.exists() else {}
        return {**figures, META: figures.get(META, {})}

    def _write(self, figures: Mapping[str, Any]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        ordered = {key: figures[key] for key in sorted(figures, key=lambda key: (key == META, key))}
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n")
        fresh.replace(self._path)


def commit() -> dict[str, Any]:
    """The commit that is measured, and whether files differ from it."""
    return {"commit": _git("rev-parse", "HEAD"), "dirty": bool(_git("status", "--porcelain", "--untracked-files=no"))}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _rounded(number: float) -> float:
    """Four digits: nothing that is measured here is known better."""
    return float(f"{number:.4g}") if abs(number) < 1000 else round(number)

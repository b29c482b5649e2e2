"""The links' settings as text and as a file: they survive a restart of the emulator."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

from deploy.local.wan.link import Cut, Link, Shape
from sitecfg.units import rate_bits

FULL = "full"  # as a rate: as fast as the machine
KEYS = {"rate_bytes", "delay_seconds", "cut"}


def rate_bytes(text: str) -> float | None:
    """Read `64kbit` as bytes a second; `full` is no limit. Raises ValueError."""
    return None if text == FULL else rate_bits(text) / 8


def delay_seconds(text: str) -> float:
    """Read `200ms` or `1.5s`; raises ValueError."""
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(ms|s)", text)
    if found is None:
        raise ValueError(f"not a delay: {text!r}; for example 200ms or 1.5s")
    return float(found[1]) * (0.001 if found[2] == "ms" else 1.0)


def checked(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of a request, as `Link.change` takes them; raises ValueError."""
    unknown = set(settings) - KEYS
    if unknown:
        raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
    rate, delay, cut = settings.get("rate_bytes"), settings.get("delay_seconds", 0.0), settings.get("cut", "")
    if rate is not None and not (_is_number(rate) and rate > 0):
        raise ValueError("rate_bytes is a number above zero, or null")
    if not (_is_number(delay) and 0 <= delay < 3600):
        raise ValueError("delay_seconds is a number from 0 to 3600")
    if cut not in get_args(Cut):
        raise ValueError("cut is one of '', 'silence', 'reset'")
    return settings


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def as_dict(shape: Shape) -> dict[str, Any]:
    """A link's settings as JSON takes them."""
    return {"rate_bytes": shape.rate_bytes, "delay_seconds": shape.delay_seconds, "cut": shape.cut}


def save(path: Path, links: Iterable[Link]) -> None:
    """Replace the file at once, so that a kill leaves the old one or the new one."""
    text = json.dumps({link.name: as_dict(link.shape) for link in links}, indent=1)
    fresh = path.with_suffix(".new")
    fresh.write_text(text + "\n")
    fresh.replace(path)


def restore(path: Path, links: Iterable[Link]) -> None:
    """Give the links what the file says; a link that it does not know stays as it is."""
    stored = json.loads(path.read_text()) if path.exists() else {}
    for link in links:
        if link.name in stored:
            link.change(**checked(stored[link.name]))

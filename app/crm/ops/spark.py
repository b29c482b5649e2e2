"""How a link did, as lines that take little room and few bytes: the geometry. Pure.

A line is drawn over whole numbers: a stretch of time is one wide, so that a path is short and compresses well. What was
not known is a gap; stretches in which the link was down are marked below.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, log2

from replication.status import Series, Stretch

HEIGHT = 24
DOWN = frozenset({"cut", "stopped"})

Figure = Callable[[Stretch], float | None]
Scale = Callable[[float], float]


@dataclass(frozen=True)
class Spark:
    """The paths of one figure; `top` is the greatest value, None where nothing is known."""

    line: str
    down: str
    top: float | None
    axis: float
    """The value at the upper edge."""
    last: float | None
    """Of the newest stretch; None: not known."""
    width: int
    height: int


def draw_spark(series: Series | None, figure: Figure, parts: int) -> Spark:
    """A small line without an axis, on a logarithmic scale: a lag of seconds shows beside one of hours."""
    return _draw(series, figure, parts, HEIGHT, lambda value: log2(1 + max(value, 0)), lambda top: max(top, 1))


def draw_chart(series: Series | None, figure: Figure, parts: int, height: int) -> Spark:
    """A large line below an axis that ends at a round number."""
    return _draw(series, figure, parts, height, float, round_up)


def _draw(series: Series | None, figure: Figure, parts: int, height: int, scale: Scale, ceiling: Scale) -> Spark:
    stretches: Sequence[Stretch | None] = series.stretches if series else [None] * parts
    values = [figure(stretch) if stretch else None for stretch in stretches]
    top = max((value for value in values if value is not None), default=None)
    axis = ceiling(top or 1)
    full = scale(axis)
    heights = [None if value is None else round(height * (1 - scale(value) / full)) for value in values]
    down = [0 if stretch and stretch.state in DOWN else None for stretch in stretches]
    return Spark(_path(heights), _path(down), top, axis, values[-1], parts - 1, height)


def round_up(value: float) -> float:
    """A round number at or above."""
    power = int("1" + "0" * (len(str(ceil(value))) - 1))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= value)


def _path(heights: Sequence[int | None]) -> str:
    """A line through what is known, broken where nothing is; a lone point is a short stroke."""
    path, before = "", None
    for place, height in enumerate(heights):
        if height is not None:
            path += f"M{place} {height}h.5" if before is None else f"L{place} {height}"
        before = height
    return path

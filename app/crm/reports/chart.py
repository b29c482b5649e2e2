"""A year's revenue in one currency as stacked bars: the geometry of the drawing. Pure.

The picture says nothing that the table beside it does not, and its colours are told apart by the order
of the stack and the legend too, not by hue alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import ceil

from crm.reports.globe import Report

WIDTH, HEIGHT = 1120, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 8, 10, 24


@dataclass(frozen=True)
class Block:
    """One site's share of a month."""

    site: str
    place: int
    x: float
    y: float
    width: float
    height: float
    amount: Decimal


@dataclass(frozen=True)
class Bar:
    """A month: its blocks from the bottom up."""

    month: date
    middle: float
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Chart:
    """A drawing of WIDTH by HEIGHT; `ticks` are (y, amount)."""

    currency: str
    bars: Sequence[Bar]
    ticks: Sequence[tuple[float, int]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    floor: int = HEIGHT - BOTTOM
    right: int = WIDTH - RIGHT


def draw(report: Report, currency: str) -> Chart:
    """The chart of one currency."""
    most = max((whole.revenue.get(currency, Decimal(0)) for _, _, whole in report.rows), default=Decimal(0))
    step = tick_step(most)
    top = max(step * -(-ceil(most) // step), step)
    per_unit = (HEIGHT - TOP - BOTTOM) / top
    ticks = [(_round(HEIGHT - BOTTOM - value * per_unit), value) for value in range(0, top + 1, step)]
    slot = (WIDTH - LEFT - RIGHT) / 12
    bars = []
    for place, (month, cells, _) in enumerate(report.rows):
        amounts = [cell.revenue.get(currency, Decimal(0)) for cell in cells]
        x = LEFT + slot * place
        bars.append(
            Bar(month, _round(x + slot / 2), _stack(report.sites, amounts, x + slot * 0.18, slot * 0.64, per_unit))
        )
    return Chart(currency, bars, ticks)


def tick_step(most: Decimal) -> int:
    """A round distance between ticks, so that there are three to six of them."""
    rough = max(ceil(most), 1) / 4
    power = 1
    while power * 10 <= rough:
        power *= 10
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)


def _stack(sites: Sequence[str], amounts: Sequence[Decimal], x: float, width: float, per_unit: float) -> list[Block]:
    blocks, floor = [], float(HEIGHT - BOTTOM)
    for place, (site, amount) in enumerate(zip(sites, amounts, strict=True)):
        height = max(float(amount), 0.0) * per_unit
        floor -= height
        if height:
            blocks.append(Block(site, place, _round(x), _round(floor), _round(width), _round(height), amount))
    return blocks


def _round(number: float) -> float:
    return round(number, 1)

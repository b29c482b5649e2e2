"""The sites and the lines between them as a drawing: the geometry. Pure.

Each directed link is a line of its own, a little to the right of its direction, so that the two ways of
a line that is cut one way only look different.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from crm.node.standing import worst
from replication.status import LinkView

WIDTH, HEIGHT = 640, 250
BOX_WIDTH, BOX_HEIGHT = 136, 50
APART = 5.0


@dataclass(frozen=True)
class Box:
    """A site at the middle of its box."""

    site: str
    x: float
    y: float
    state: str
    lag_seconds: float | None


@dataclass(frozen=True)
class Stroke:
    """A directed link, from origin to reader; the boxes are drawn over its ends."""

    link: LinkView
    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Map:
    """The whole drawing."""

    boxes: Sequence[Box]
    strokes: Sequence[Stroke]
    width: int = WIDTH
    height: int = HEIGHT
    box_width: int = BOX_WIDTH
    box_height: int = BOX_HEIGHT


def draw_map(sites: Sequence[str], links: Sequence[LinkView]) -> Map:
    """Four sites stand at the corners, any other number on an ellipse."""
    places = dict(zip(sites, _places(len(sites)), strict=True))
    boxes = [Box(site, *places[site], *_reading(site, links)) for site in sites]
    drawn = [link for link in links if link.origin in places and link.reader in places]
    return Map(boxes, [_stroke(link, places[link.origin], places[link.reader]) for link in drawn])


def _reading(site: str, links: Sequence[LinkView]) -> tuple[str, float | None]:
    """The gravest state of what the site reads, and its greatest lag."""
    inward = [link for link in links if link.reader == site]
    lags = [link.lag_seconds for link in inward if link.lag_seconds is not None]
    return worst(link.state for link in inward), max(lags, default=None)


def _places(number: int) -> list[tuple[float, float]]:
    x, y = WIDTH / 2, HEIGHT / 2
    across, down = x - BOX_WIDTH / 2 - 12, y - BOX_HEIGHT / 2 - 8
    if number == 4:
        return [(x - across, y - down), (x - across, y + down), (x + across, y + down), (x + across, y - down)]
    turns = [2 * math.pi * place / max(number, 1) - math.pi / 2 for place in range(number)]
    return [(round(x + across * math.cos(turn)), round(y + down * math.sin(turn))) for turn in turns]


def _stroke(link: LinkView, start: tuple[float, float], end: tuple[float, float]) -> Stroke:
    along_x, along_y = end[0] - start[0], end[1] - start[1]
    length = math.hypot(along_x, along_y) or 1.0
    aside_x, aside_y = -along_y / length * APART, along_x / length * APART
    return Stroke(
        link,
        round(start[0] + aside_x, 1),
        round(start[1] + aside_y, 1),
        round(end[0] + aside_x, 1),
        round(end[1] + aside_y, 1),
    )

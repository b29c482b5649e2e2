"""How fresh each site's figures are at this node: a report says it, above all during a cut. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from crm.node.standing import Standing


@dataclass(frozen=True)
class Freshness:
    """`state` is "here", "up", "late", "cut", "stopped" or "unknown"; `until` is set where it is known
    that later changes of the site are missing."""

    site: str
    state: str
    lag_seconds: float | None
    until: datetime | None

    @property
    def is_stale(self) -> bool:
        return self.state not in {"here", "up"}


def freshness_of(standing: Standing, sites: Sequence[str]) -> list[Freshness]:
    """One statement for each site, from the positions that this node has applied."""
    inward = {line.peer: line for line in standing.lines}
    told = []
    for site in sites:
        line = inward.get(site)
        if site == standing.site:
            told.append(Freshness(site, "here", 0.0, None))
        elif line is None or line.inward is None:
            told.append(Freshness(site, "unknown", None, None))
        else:
            told.append(Freshness(site, line.inward.state, line.inward.lag_seconds, line.fresh_until))
    return told

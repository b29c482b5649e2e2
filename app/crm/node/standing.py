"""Where this node stands: its lines to the others, in a person's terms. Pure but for the words.

Knowledge of a line comes in two directions: what arrives here from a peer tells how fresh that
peer's figures are here; what the peer has of ours tells whether our work gets out. A line is shown
by the worse of the two, its age is that of what arrives.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from replication.status import LinkView, SiteView

GRAVITY = ("up", "late", "unknown", "stopped", "cut")


@dataclass(frozen=True)
class Line:
    """This node's line to one peer."""

    peer: str
    state: str
    lag_seconds: float | None
    inward: LinkView | None
    outward: LinkView | None

    @property
    def broken(self) -> bool:
        return self.state in {"cut", "stopped"}

    @property
    def since(self) -> datetime | None:
        """Since when one direction does not run: the earlier of the two."""
        moments = [since_of(link) for link in (self.inward, self.outward) if link and link.state == self.state]
        return min((moment for moment in moments if moment), default=None)

    @property
    def fresh_until(self) -> datetime | None:
        """Up to when the peer's changes are here, if they do not come in now."""
        stale = self.inward and self.inward.state in {"cut", "stopped"}
        return self.inward.applied_commit_time or self.inward.behind_since if self.inward and stale else None


@dataclass(frozen=True)
class Standing:
    """What the head of every page says; `view` is None where replication is not initialised."""

    site: str
    view: SiteView | None
    lines: tuple[Line, ...]

    @property
    def broken(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.broken)


def since_of(link: LinkView) -> datetime | None:
    """Since when a link does not run: it was last heard then, or, if it is heard, it last applied then."""
    if link.state == "cut":
        return link.known_at or link.behind_since
    return link.behind_since or link.known_at


def standing_of(site: str, view: SiteView | None) -> Standing:
    """What the view means for this site."""
    return Standing(site, view, tuple(_lines(site, view)) if view else ())


def worst(states: Iterable[str]) -> str:
    """The gravest of some states; one that we have no word for counts as unknown."""
    return max((state if state in GRAVITY else "unknown" for state in states), key=GRAVITY.index, default="unknown")


def _lines(site: str, view: SiteView) -> Iterable[Line]:
    links = {(link.origin, link.reader): link for link in view.links}
    for peer in dict.fromkeys(link.origin for link in view.links if link.origin != site):
        inward, outward = links.get((peer, site)), links.get((site, peer))
        state = worst(link.state for link in (inward, outward) if link)
        yield Line(peer, state, inward.lag_seconds if inward else None, inward, outward)

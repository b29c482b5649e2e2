"""The links as the console's table has them: what is true now, and what was true when it was last heard. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from replication.status import UNKNOWN, LinkView, Outlook, Way

OLD_SECONDS = 15.0
"""A figure that is older is told with its age."""


@dataclass(frozen=True)
class Row:
    """A directed link; `age_seconds` is that of its figures, None if nothing was ever heard."""

    link: LinkView
    outlook: Outlook
    age_seconds: float | None

    @property
    def is_old(self) -> bool:
        return self.age_seconds is None or self.age_seconds > OLD_SECONDS

    @property
    def lag_seconds(self) -> float | None:
        """Now; of a link that is not known of it was true once, and is not told."""
        return None if self.link.state == "unknown" else self.link.lag_seconds


def rows_of(links: Sequence[LinkView], outlooks: Mapping[Way, Outlook], now: datetime) -> list[Row]:
    """A row for each link."""
    return [Row(link, outlooks.get((link.origin, link.reader), UNKNOWN), _age(link, now)) for link in links]


def _age(link: LinkView, now: datetime) -> float | None:
    return None if link.known_at is None else (now - link.known_at) / timedelta(seconds=1)

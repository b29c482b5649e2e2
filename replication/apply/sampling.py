"""Samples how the links stand, as status says it, into the site's own database: for rates, outlooks and history.

The moments are those of a clock that strikes every half minute, so that a sample is taken once, whoever was restarted,
and the ones that are kept for longer are those of every tenth minute.
"""

from collections.abc import Mapping
from datetime import timedelta

from replication.clock import now_us, to_datetime
from replication.postgres import samples
from replication.postgres.connect import Connection
from replication.status import LinkView, local_view

EVERY = timedelta(seconds=30)
_THINNED_EVERY = timedelta(hours=1)
_LINKS_MOST = 120
"""Between more sites only those links are sampled that begin or end here: else they are too many."""


class Sampler:
    """Samples through the apply writer's connection. ``numbers``: those of all configured sites, by name."""

    def __init__(self, connection: Connection, own: str, numbers: Mapping[str, int]) -> None:
        self._connection = connection
        self._own = own
        self._numbers = numbers
        self._last = -1

    def step(self) -> None:
        """Sample, if the clock has struck."""
        strike = timedelta(microseconds=now_us()) // EVERY
        if strike == self._last:
            return
        self._last = strike
        at = to_datetime(strike * EVERY // timedelta(microseconds=1))
        view = local_view(self._connection, self._numbers, totals=False)
        standings = [_standing(link) for link in view.links if self._is_kept(link)]
        if standings:
            samples.keep(self._connection, at, standings)
        if strike % (_THINNED_EVERY // EVERY) == 0:
            samples.thin(self._connection, at)

    def _is_kept(self, link: LinkView) -> bool:
        known = len(self._numbers) * (len(self._numbers) - 1)
        return known <= _LINKS_MOST or self._own in (link.origin, link.reader)


def _standing(link: LinkView) -> samples.Standing:
    """What is not known now is not sampled as if it were."""
    if link.state == "unknown":
        return link.origin, link.reader, link.state, None, None, None
    return link.origin, link.reader, link.state, link.lag_seconds, link.backlog_changes, link.applied_changes

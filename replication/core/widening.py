"""A change of the rules that lets a site have more than it had, and who sends it that: pure.

An *audience* says what each site sees of one table. A site keeps those that were in force since all that they let
anybody have was sent; the last of them is in force now.

1. A site is owed of a row what it sees now and did not see under one of the earlier audiences.
2. It is sent by one site: the first that saw all of it under that earlier audience. Where nobody did, each site that
   has the row sends what it has of it: masks are marked, and lose against values.
3. Who sends waits until all that was written under the earlier rules is here (replication/apply/sharing.py). What is
   written under those in force needs nobody: its author lets out as much as they say.
4. Whole rows are states like any other. So one sent twice, or by several, changes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from replication.core.views import Sight, TableView, Values

Audience = Mapping[str, TableView]
"""Site -> what it sees of the table."""


def as_data(audience: Audience) -> Any:
    """The same for the same audience, as JSON takes it."""
    return {site: view.as_data() for site, view in audience.items()}


def from_data(data: Any) -> Audience:
    """The audience that these data are of."""
    return {site: TableView.from_data(view) for site, view in data.items()}


@dataclass(frozen=True, slots=True)
class Widening:
    """What one site sends of one table."""

    own: str
    sites: Sequence[str]
    """All of them, in the order in which they are to send."""
    earlier: Sequence[Audience]
    now: Audience

    def owed(self, values: Values) -> list[str]:
        """The sites to which this one sends a row with these values."""
        return [
            site
            for site in self.sites
            if site != self.own and any(self._sends(before, site, values) for before in self.earlier)
        ]

    @property
    def owing(self) -> list[str]:
        """The sites to which it may have to send a row."""
        found = [self.owed(values) for values in self._classes()]
        return [site for site in self.sites if any(site in sites for sites in found)]

    def _sends(self, before: Audience, site: str, values: Values) -> bool:
        now = self.now[site].sight(values)
        if site not in before or not _is_more(now, before[site].sight(values)):
            return False
        holders = (one for one in self.sites if one in before and _has_all(before[one].sight(values), now))
        return next(holders, self.own) == self.own

    def _classes(self) -> Iterator[Values]:
        """One row's values for each way in which rows may be decided on."""
        named: dict[str, set[bytes | None]] = {}
        for view in (view for audience in (*self.earlier, self.now) for view in audience.values()):
            for reach in view.reaches:
                if reach.column is not None:
                    named.setdefault(reach.column, {None}).update(reach.refused)
        for values in product(*named.values()):
            yield dict(zip(named, values, strict=True))


def _is_more(now: Sight, before: Sight) -> bool:
    return now.admits and not _has_all(before, now)


def _has_all(held: Sight, wanted: Sight) -> bool:
    return held.admits and held.hidden <= wanted.hidden

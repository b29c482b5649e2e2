"""Which site a row of the sample data is written at. Pure.

1. A household is at home at the site in place (its number in the data modulo the number of sites), the
   sites taken in the order of their numbers; so each site has an even share, whatever the sites are.
2. Its baskets, contacts and calls are written at its home; companies at the site that they are made for.
3. Products and accounts are written at headquarters, whence they travel.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sitecfg import Site


@dataclass(frozen=True)
class Share:
    """A site's part of the households: those whose number leaves `remainder` when divided by `sites`."""

    remainder: int
    sites: int

    def holds(self, household: int) -> bool:
        return household % self.sites == self.remainder


def share_of(site: str, sites: Sequence[str]) -> Share:
    """The share of one of the sites, named in the order of their numbers."""
    return Share(remainder=sites.index(site), sites=len(sites))


def home_of(household: int, sites: Sequence[str]) -> str:
    """The site that a household is at home at."""
    return sites[household % len(sites)]


def headquarters(sites: Iterable[Site]) -> Site:
    """The site where products and accounts are written."""
    return next(site for site in sites if site.role == "headquarters")

"""What this node knows of the replication between the sites, from its own database alone."""

from crm.core.session import database
from crm.core.sites import config, this_site
from crm.node.standing import Standing, standing_of
from replication.status import NotInitialisedError, SiteView, local_view


def get_standing(*, totals: bool = False) -> Standing:
    """Where this node stands now; what it set aside and settled is counted for `totals` alone."""
    return standing_of(this_site().name, get_view(totals=totals))


def get_view(*, totals: bool = False) -> SiteView | None:
    """All directed links as this site knows them; None where replication is not initialised here."""
    numbers = {name: site.number for name, site in config().sites.items()}
    try:
        return local_view(database(), numbers, totals=totals)
    except NotInitialisedError:
        return None

"""How replication goes, for those who look: the read-only face of this package for applications.

:func:`local_view` reads a site's own database alone, so it works during a cut, under any role that may SELECT in the
schema ``kuroshio``. What one site cannot know of the others it says as unknown, or with the age of its knowledge:
unreachable is not healthy (invariant 8). :class:`Conflicts` reads what was decided between two versions of a cell,
:func:`out_of_table` and :func:`claims_of` what rows hold that is not to be seen, :func:`history` and :func:`outlooks`
how the links did and how long catching up will take, :func:`waiting` what waits here, :func:`deeds`
who did what, and :func:`comparisons` what differs.
"""

from replication.status.comparing import Comparison, Repaired, comparisons, repairs
from replication.status.conflicts import (
    PARENT,
    UNIQUE,
    Conflicts,
    ConflictView,
    Mark,
    Side,
    Wanted,
    Watched,
    conflict_id,
)
from replication.status.details import read_details
from replication.status.held import REASONS, Deed, Waiting, count_waiting, deeds, values_here, waiting, waiting_one
from replication.status.local import local_view
from replication.status.outlook import UNKNOWN, Outlook
from replication.status.trends import Series, Stretch, Way, history, outlooks
from replication.status.unshown import Unshown, claims_of, out_of_table
from replication.status.views import LinkView, NotInitialisedError, SiteView, State

__all__ = [
    "PARENT",
    "REASONS",
    "UNIQUE",
    "UNKNOWN",
    "Comparison",
    "ConflictView",
    "Conflicts",
    "Deed",
    "LinkView",
    "Mark",
    "NotInitialisedError",
    "Outlook",
    "Repaired",
    "Series",
    "Side",
    "SiteView",
    "State",
    "Stretch",
    "Unshown",
    "Waiting",
    "Wanted",
    "Watched",
    "Way",
    "claims_of",
    "comparisons",
    "conflict_id",
    "count_waiting",
    "deeds",
    "history",
    "local_view",
    "out_of_table",
    "outlooks",
    "read_details",
    "repairs",
    "values_here",
    "waiting",
    "waiting_one",
]

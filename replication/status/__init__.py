"""How replication goes, for those who look: the read-only face of this package for applications.

:func:`local_view` reads a site's own database alone, so it works during a cut, under any role that may SELECT in the
schema ``kuroshio``. What one site cannot know of the others it says as unknown, or with the age of its knowledge:
unreachable is not healthy (invariant 8). :class:`Conflicts` reads what was decided between two versions of a cell,
:func:`out_of_table` and :func:`claims_of` what rows hold that is not to be seen.
"""

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
from replication.status.local import local_view
from replication.status.unshown import Unshown, claims_of, out_of_table
from replication.status.views import LinkView, NotInitialisedError, SiteView

__all__ = [
    "PARENT",
    "UNIQUE",
    "ConflictView",
    "Conflicts",
    "LinkView",
    "Mark",
    "NotInitialisedError",
    "Side",
    "SiteView",
    "Unshown",
    "Wanted",
    "Watched",
    "claims_of",
    "conflict_id",
    "local_view",
    "out_of_table",
]

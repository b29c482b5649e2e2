r"""What each user may do at a site's broker, as RabbitMQ's three patterns (https://www.rabbitmq.com/access-control.html).

1. A peer reads what announces this site's log, and the two lanes of the one view that it is entitled to.
2. It writes to the exchange by which this site is asked things, and to nothing else: above all not to the default
   exchange, which would lead into every queue there is. Answers reach it by direct reply-to, which needs no permission.
3. It declares, deletes, binds and purges nothing. So what a peer's password is worth is what that peer may know.
"""

import re
from typing import NamedTuple

from replication.broker.names import control_name


class Permissions(NamedTuple):
    """Patterns over the names of queues and exchanges; the empty one fits nothing."""

    configure: str
    write: str
    read: str


OWN = Permissions(".*", ".*", ".*")
"""The site's own daemons make what there is."""


def of_peer(site: str, view: str) -> Permissions:
    """A peer's at the broker of ``site``; ``view`` is the name of what it may see there (replication/core/views.py)."""
    own = re.escape(site)
    lane = rf"{re.escape(view)}\.(live|packed)" if view else "(live|packed)"
    read = rf"^kuroshio\.{own}\.(incarnations\.[0-9]+|[0-9a-f]+\.{lane})$"
    return Permissions("^$", f"^{re.escape(control_name(site))}$", read)

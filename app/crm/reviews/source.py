"""Where the pages of conflicts read: this site's own database, through what replication shows of it."""

from __future__ import annotations

from crm.core.session import database
from crm.core.sites import config
from crm.reviews.records import EXISTENCE, KINDS, asking_keys, asks
from replication.status import Conflicts, Watched


def conflicts() -> Conflicts:
    """The conflicts in this site's database."""
    numbers = {name: site.number for name, site in config().sites.items()}
    return Conflicts(database(), numbers, watched())


def watched() -> Watched:
    """What the CRM shows of the conflicts, and which of them it asks about."""
    columns = {
        kind.table: {EXISTENCE: False} | {column: asks(kind.table, column) for column in kind.columns}
        for kind in KINDS.values()
    }
    keys = {kind.table: asking_keys(kind.table) for kind in KINDS.values()}
    return Watched(columns, "public.reviews_settlement", keys)

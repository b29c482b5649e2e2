"""Where the pages of conflicts read: this site's own database, through what replication shows of it."""

from __future__ import annotations

from typing import Any, cast

import psycopg
from django.db import connection

from crm.core.sites import config
from crm.reviews.records import EXISTENCE, KINDS, asking_keys, asks
from replication.status import Conflicts, Watched


def database() -> psycopg.Connection[Any]:
    """This request's connection."""
    connection.ensure_connection()
    return cast("psycopg.Connection[Any]", connection.connection)


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

"""What this node knows of the replication between the sites, from its own database alone."""

from typing import cast

import psycopg
from django.db import connection

from crm.core.sites import this_site
from crm.node.standing import Standing, standing_of
from replication.status import SiteView, local_view


def get_standing() -> Standing:
    """Where this node stands now."""
    return standing_of(this_site().name, get_view())


def get_view() -> SiteView | None:
    """All directed links as this site knows them; None where replication is not initialised here."""
    with connection.cursor() as cursor:
        cursor.execute("select to_regnamespace('kuroshio') is not null")
        (initialised,) = cursor.fetchone()
    return local_view(cast(psycopg.Connection, connection.connection)) if initialised else None

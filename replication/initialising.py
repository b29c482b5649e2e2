"""Puts the sites' databases under replication, and keeps each one's incarnation outside of it (pitfall P1)."""

from replication.keys import keep_incarnations, kept_incarnations, require_home
from replication.postgres.connect import connect, site_of
from replication.postgres.install import initialise
from sitecfg import Site


def initialise_site(site: Site) -> str:
    """Install everything at one site and return the incarnation in force. May run again.

    The file outside the database is written for a site that is new, or where it is missing; one that contradicts the
    database stays as it is, because capture must notice.
    """
    require_home(site, "init")
    with connect(site.dsn(), name="init") as connection:
        is_new = site_of(connection) is None
        incarnation = initialise(connection, site.name, site.number)
    if is_new or not kept_incarnations(site):
        keep_incarnations(site, incarnation)
    return incarnation

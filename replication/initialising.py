"""Puts the sites' databases under replication, and keeps each one's incarnation outside of it (pitfall P1)."""

from replication.keys import incarnation_file
from replication.postgres.connect import Connection, connect
from replication.postgres.install import initialise
from sitecfg import Site


def initialise_site(site: Site) -> str:
    """Install everything at one site and return the incarnation in force. May run again.

    The file outside the database is written for a site that is new, or where it is missing; one that contradicts the
    database stays as it is, because capture must notice.
    """
    with connect(site.dsn(), name="init") as connection:
        is_new = not _is_initialised(connection)
        incarnation = initialise(connection, site.name, site.number)
    kept = incarnation_file(site)
    if is_new or not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        fresh = kept.with_name(f"{kept.name}.new")
        fresh.write_text(f"{incarnation}\n", encoding="ascii")
        fresh.replace(kept)
    return incarnation


def _is_initialised(connection: Connection) -> bool:
    row = connection.execute("SELECT to_regclass('kuroshio.site') IS NOT NULL").fetchone()
    return row == (True,) and connection.execute("SELECT FROM kuroshio.site").fetchone() is not None

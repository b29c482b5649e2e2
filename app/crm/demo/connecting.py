"""Connections to the sites' databases beside Django's own: for COPY, and for all sites at once."""

from psycopg import Connection, connect

from crm.core.sites import this_site
from crm.environment import secret_file
from sitecfg import Config, Site
from sitecfg.secrets import read_secret

APP_ROLE = "app"
_LOADING = 0x6B75726F  # the advisory lock of those who load


def open_site(config: Config, site: Site) -> Connection:
    """Connect to a site's database as the application's role, each statement its own transaction."""
    own = site.name == this_site().name
    variable = "KUROSHIO_APP_PASSWORD_FILE" if own else f"KUROSHIO_APP_PASSWORD_FILE_{site.name.upper()}"
    password = read_secret(secret_file(config, variable, f"{site.name}.app"))
    where = site.database
    return connect(
        host=where.host, port=where.port, dbname=where.name, user=APP_ROLE, password=password, autocommit=True
    )


def lock_loading(connection: Connection) -> None:
    """Wait until nobody else loads sample data at this site; ends with the connection."""
    connection.execute("select pg_advisory_lock(%s)", [_LOADING])

"""Connections. All of ours speak one dialect of text: the session settings below decide how a value is spelled, and the
same value must be spelled the same at every site."""

import psycopg

from replication.wire.pglogical import session_options

Connection = psycopg.Connection[tuple[object, ...]]


def connect(dsn: str, *, name: str, autocommit: bool = True, application: str = "kuroshio") -> Connection:
    """Open a session under the pinned settings. ``name`` shows in pg_stat_activity as ``kuroshio name``."""
    return psycopg.connect(
        dsn,
        autocommit=autocommit,
        application_name=f"{application} {name}",
        options=session_options(),
        connect_timeout=10,
    )


def site_of(connection: Connection) -> str | None:
    """The site whose database this is; None for one that is not under replication."""
    if connection.execute("SELECT to_regclass('kuroshio.site') IS NULL").fetchone() == (True,):
        return None
    row = connection.execute("SELECT name FROM kuroshio.site").fetchone()
    return str(row[0]) if row else None

"""The session that a request has in this site's database, for what replication shows and takes."""

from typing import Any, cast

import psycopg
from django.db import connection


def database() -> psycopg.Connection[Any]:
    """This request's connection."""
    connection.ensure_connection()
    return cast("psycopg.Connection[Any]", connection.connection)

"""Keeps how the links stood (``kuroshio.link_sample``), and no more of it than is stated."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from replication.postgres.connect import Connection

FINE_FOR, COARSE, COARSE_FOR = timedelta(days=1), timedelta(minutes=10), timedelta(days=30)

Standing = tuple[str, str, str, float | None, int | None, int | None]
"""Origin, reader, state, lag in seconds, changes that wait, changes applied."""


def keep(connection: Connection, at: datetime, standings: Sequence[Standing]) -> None:
    """Keep how each link stands at a moment, once."""
    columns = [list(column) for column in zip(*standings, strict=True)]
    connection.execute(
        "INSERT INTO kuroshio.link_sample (at, origin, reader, state, lag_seconds, backlog_changes, applied_changes)"
        " SELECT %s, * FROM unnest(%s::text[], %s::text[], %s::text[], %s::real[], %s::bigint[], %s::bigint[])"
        " ON CONFLICT DO NOTHING",
        (at, *columns),
        prepare=True,
    )


def thin(connection: Connection, now: datetime) -> None:
    """Drop what is older than it is kept for."""
    connection.execute(
        "DELETE FROM kuroshio.link_sample WHERE at < %(gone)s"
        " OR (at < %(coarse)s AND date_bin(%(every)s, at, timestamptz '2000-01-01 00:00:00+00') <> at)",
        {"gone": now - COARSE_FOR, "coarse": now - FINE_FOR, "every": COARSE},
    )

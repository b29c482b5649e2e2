"""The tables of the replication in the test's transaction, with conflicts as apply records them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.db import connection

from crm.core.models import Replicated
from crm.core.sites import config
from replication.status import conflict_id

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)

_INSERT = """
insert into kuroshio.conflict (nspname, relname, key, column_name, winner, loser, type, resolution, rule, winner_value,
                               loser_value, recorded_at)
values ('public', %(table)s, array[%(key)s], %(column)s, %(winner)s, %(loser)s, %(type)s, %(resolution)s, %(rule)s,
        %(holds)s, %(lost)s, %(recorded_at)s)"""


@contextmanager
def replicated() -> Iterator[None]:
    """This site's database under replication, as far as the pages read it."""
    with connection.cursor() as cursor:
        cursor.execute("set local client_min_messages = warning")
        cursor.execute(files("replication.postgres").joinpath("schema.sql").read_text().replace("%", "%%"), [])
        cursor.execute("insert into kuroshio.site (name, number, incarnation, lineage) values ('taipei', 1, 'x', '[]')")
        cursor.execute("insert into kuroshio.capture (live_lsn, packed_lsn) values ('0/0', '0/0')")
    cache.clear()
    yield
    cache.clear()


def moment(site: str, at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1) << 10 | config().sites[site].number


def conflict(
    row: Replicated,
    column: str,
    *,
    holds: str | None,
    lost: str | None,
    by: tuple[str, str] = ("taipei", "us"),
    **more: Any,
) -> UUID:
    """A conflict over a column of a row; `by` are the sites that wrote what holds and what lost. Returns its id."""
    table = row._meta.db_table
    won_at, lost_at = more.pop("won_at", NOW), more.pop("lost_at", NOW - timedelta(minutes=3))
    values = {
        "table": table,
        "key": str(row.pk),
        "column": column,
        "winner": moment(by[0], won_at),
        "loser": moment(by[1], lost_at),
        "type": "update_origin_differs",
        "resolution": "apply_remote",
        "rule": "latest",
        "holds": holds,
        "lost": lost,
        "recorded_at": NOW + timedelta(minutes=5),
        **more,
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, values)
    return conflict_id(f"public.{table}", [str(row.pk)], column, values["winner"], values["loser"])

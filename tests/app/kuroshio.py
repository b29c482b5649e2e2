"""The tables of the replication in the test's transaction, with conflicts as apply records them."""

import json
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
from replication.status import PARENT, UNIQUE, conflict_id

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
        for script in ("schema.sql", "life.sql", "control.sql", "operations.sql"):
            cursor.execute(files("replication.postgres").joinpath(script).read_text().replace("%", "%%"), [])
        cursor.execute("insert into kuroshio.site (name, number, incarnation, lineage) values ('taipei', 1, 'x', '[]')")
        cursor.execute("alter table accounts_user add kuroshio_claims jsonb")
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
    other = values["loser"] if values["type"] == UNIQUE else values["winner"]
    return conflict_id(f"public.{table}", [str(row.pk)], column, other, values["loser"])


def claim(row: Replicated, column: str, value: str, *, outcome: str = "mark", index: str = "", **more: Any) -> UUID:
    """A value of a unique key that a row claims and another holds, from the older site to the younger one's."""
    rule = f"unique.{index or f'{row._meta.db_table}_{column}_key'} = {outcome}"
    ages = {"won_at": NOW - timedelta(minutes=3), "lost_at": NOW}
    return conflict(row, column, holds=value, lost=value, type=UNIQUE, rule=rule, **(ages | more))


def marked(row: Replicated, column: str, value: str) -> None:
    """The row shows a mark in the place of what it claims."""
    with connection.cursor() as cursor:
        table = connection.ops.quote_name(row._meta.db_table)
        cursor.execute(
            f"update {table} set {column} = %s, kuroshio_claims = %s where id = %s",
            [f"{value}~1a2b3c4d", json.dumps({column: value}), row.pk],
        )
    row.refresh_from_db()


def fallen(row: Replicated, reference: str, **more: Any) -> UUID:
    """A row that fell with its parent: what is recorded of that. Both are yet to be taken away (`take_away`)."""
    parent = str(getattr(row, reference))
    rule = f"parent.{row._meta.db_table}_{reference}_fkey = falls"
    return conflict(row, reference, holds=None, lost=parent, type=PARENT, resolution="skip", rule=rule, **more)


def take_away(row: Replicated, hidden: str = "") -> None:
    """The row is out of its table, deleted or hidden; its last image is kept."""
    table = row._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into kuroshio.tombstone (nspname, relname, key, deleted, saw, stamps, cells, hidden)"
            f" select 'public', %s, array[id::text], 1, '{{1}}', '{{1}}', (select jsonb_object_agg(key, value)"
            f" from jsonb_each_text(to_jsonb(t))), %s from {connection.ops.quote_name(table)} t where id = %s",
            [table, hidden, row.pk],
        )
    type(row)._base_manager.filter(pk=row.pk).delete()

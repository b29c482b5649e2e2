"""Links and changes that wait, as the daemons leave them in a site's database."""

import json
from datetime import datetime

from django.db import connection

from crm.core.models import Replicated
from crm.core.session import database
from crm.core.sites import config
from replication.status import waiting
from tests.app.kuroshio import moment

_READING = """
insert into kuroshio.reading (origin, state, heard_at, head_lsn, head_changes, clock_offset_seconds)
values (%(origin)s, 'running', now() - %(heard)s * interval '1 s', '0/2000', %(head)s, 0.02)"""
_POSITION = """
insert into kuroshio.position (origin, incarnation, lsn, commit_time, published_at, changes)
values (%(origin)s, 'f00dfeedf00dfeed', '0/1000', now() - %(age)s * interval '1 s',
        now() - %(heard)s * interval '1 s', %(applied)s)"""
_SAID = """
insert into kuroshio.peer_position (reader, origin, incarnation, lsn, commit_time, changes, said_at, heard_at, moved_at)
values (%(reader)s, %(origin)s, 'f00dfeedf00dfeed', '0/1000', now() - %(age)s * interval '1 s', 1000, now(),
        now() - %(heard)s * interval '1 s', now() - %(heard)s * interval '1 s')"""
_SAMPLES = """
insert into kuroshio.link_sample (at, origin, reader, state, lag_seconds, backlog_changes, applied_changes)
select at, o, r, 'up', random() * 9, 5, extract(epoch from at)
  from generate_series(date_bin('30 s', now(), '2000-01-01') - %s * interval '1 h', now(), interval '30 s') as at,
       unnest(%s::text[]) as o, unnest(%s::text[]) as r
 where o <> r"""
_PARK = """
insert into kuroshio.parked (nspname, relname, key, moment, op, origin, lsn, change, reason, detail)
values ('public', %s, array[%s], %s, %s, 'us', '0/1000', %s, %s, %s)"""


def hear(reader: str, origin: str, *, heard: float = 1, behind: int = 0, age: float = 1) -> None:
    """Taipei heard this of a link so many seconds ago: so many changes wait, the newest applied is so old."""
    values: dict[str, str | float] = {
        "reader": reader,
        "origin": origin,
        "head": 1000 + behind,
        "applied": 1000,
        "heard": heard,
        "age": age,
    }
    with connection.cursor() as cursor:
        for query in (_READING, _POSITION) if reader == "taipei" else (_SAID,):
            cursor.execute(query, values)


def hear_all(**more: float) -> None:
    """All links are heard; those into Taipei as told."""
    for origin in config().sites:
        for reader in config().sites:
            if origin != reader:
                hear(reader, origin, **(more if reader == "taipei" else {}))  # type: ignore[arg-type]


def sample(hours: int) -> None:
    """Every link was sampled each half minute for so long."""
    names = list(config().sites)
    with connection.cursor() as cursor:
        cursor.execute(_SAMPLES, [hours, names, names])


def sample_once(origin: str, reader: str, *, ago: float, backlog: int, applied: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into kuroshio.link_sample values (now() - %s * interval '1 s', %s, %s, 'late', 20, %s, %s)",
            [ago, origin, reader, backlog, applied],
        )


def park(
    row: Replicated, at: datetime, *, op: str = "U", reason: str = "refused", detail: str = "", **cells: str | None
) -> int:
    """A change of the US waits; returns its id."""
    table = row._meta.db_table
    change = json.dumps({"cells": cells})
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into kuroshio.replicated_table (nspname, relname, key_columns) values ('public', %s, '{id}')"
            " on conflict do nothing",
            [table],
        )
        cursor.execute(_PARK, [table, str(row.pk), moment("us", at), op, change, reason, detail])
    return waiting(database(), most=1)[0].id


def compare(peer: str, table: str, **values: object) -> None:
    """What a look at a table and a peer found."""
    columns = {"peer": peer, "nspname": "public", "relname": table} | values
    with connection.cursor() as cursor:
        cursor.execute(
            f"insert into kuroshio.verification ({', '.join(columns)}) values ({', '.join(['%s'] * len(columns))})",
            list(columns.values()),  # type: ignore[arg-type]
        )

"""Rows into a site's database by COPY, as fast as they go in; its triggers stamp them on the way.

1. A row whose key is there is left as it is, so a load may be repeated or resumed, and does no harm to
   what people have changed since.
2. A column that a row does not name gets its model's default.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from django.db.models import Model
from psycopg import Connection, sql

from crm.demo.rows import Row


def copy_missing(connection: Connection, model: type[Model], rows: Sequence[Row]) -> int:
    """COPY those rows that are not there; returns how many."""
    there = present(connection, model, [row["id"] for row in rows])
    return copy_new(connection, model, (row for row in rows if row["id"] not in there))


def copy_new(connection: Connection, model: type[Model], rows: Iterable[Row]) -> int:
    """COPY rows that are known not to be there; returns how many."""
    defaults = _defaults(model)
    columns = sql.SQL(", ").join(map(sql.Identifier, defaults))
    statement = sql.SQL("copy {} ({}) from stdin").format(_table(model), columns)
    with connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(tuple((defaults | row).values()))
        return cursor.rowcount


def present(connection: Connection, model: type[Model], keys: Collection[UUID]) -> set[UUID]:
    """Those of the keys that are in the model's table."""
    query = sql.SQL("select id from {} where id = any(%s)").format(_table(model))
    return {key for (key,) in connection.execute(query, [list(keys)])}


def _table(model: type[Model]) -> sql.Identifier:
    return sql.Identifier(model._meta.db_table)  # noqa: SLF001 (Django's documented way to a model's table)


@cache
def _defaults(model: type[Model]) -> dict[str, Any]:
    """Each column with what a row has that does not name it."""
    fields = model._meta.concrete_fields  # noqa: SLF001 (as above)
    return {field.column or field.attname: field.get_default() for field in fields}

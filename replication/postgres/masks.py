"""What a masked column can show: nothing, as the table has it, and how many characters it takes."""

from typing import NamedTuple

from psycopg import sql

from replication.postgres.connect import Connection

_COLUMN = """
SELECT a.attnotnull, pg_get_expr(d.adbin, d.adrelid), format_type(a.atttypid, a.atttypmod),
       CASE WHEN a.atttypid IN ('varchar'::regtype, 'bpchar'::regtype) AND a.atttypmod > 4 THEN a.atttypmod - 4 END
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE n.nspname = %s AND c.relname = %s AND a.attname = %s"""


class Shown(NamedTuple):
    """What a column shows for nothing, how many characters it takes at most, and whether it takes NULL."""

    empty: bytes | None
    longest: int | None
    nullable: bool = True


def shown(connection: Connection, table: tuple[str, str], column: str) -> Shown:
    """NULL where the column takes it, else its default."""
    row = connection.execute(_COLUMN, (*table, column)).fetchone()
    if row is None:
        return Shown(None, None)
    not_null, default, type_name, longest = row
    empty = _evaluated(connection, str(default), str(type_name)) if not_null and default is not None else None
    return Shown(empty, None if longest is None else int(str(longest)), not not_null)


def _evaluated(connection: Connection, expression: str, type_name: str) -> bytes | None:
    query = sql.SQL("SELECT ({})::{}::text").format(sql.SQL(expression), sql.SQL(type_name))
    row = connection.execute(query).fetchone()
    return None if row is None or row[0] is None else str(row[0]).encode()

"""What PostgreSQL's catalog says of tables: dull SQL.

Which columns an expression reads is taken from its tree, as `:varattno` says: pg_depend does not tell an index's
expressions from its condition. Replication's own column, `kuroshio`, is left out: no rule is about it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from .relations import Column, Constraint, ForeignKey, Relation, UniqueKey

CONNECT_SECONDS = 5
OPTIONS = "-c search_path=pg_catalog -c default_transaction_read_only=on -c statement_timeout=30s"

_TABLES = """
SELECT c.oid, w.name, c.relkind = 'r' AND c.relpersistence = 'p' AS plain
  FROM unnest(%s::text[]) AS w(name)
  JOIN pg_namespace n ON n.nspname = split_part(w.name, '.', 1)
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = substr(w.name, strpos(w.name, '.') + 1)
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')"""

_COLUMNS = """
SELECT a.attrelid AS oid, a.attnum AS number, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
       NOT a.attnotnull AS nullable, a.attidentity <> '' OR a.atthasdef AND a.attgenerated = '' AS "default",
       CASE WHEN a.attgenerated <> '' THEN
           ARRAY(SELECT found[1]::int FROM regexp_matches(d.adbin::text, ':varattno (\\d+)', 'g') AS found) END
           AS computed_from
  FROM pg_attribute a
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = ANY(%s) AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'kuroshio'"""

_INDEXES = """
SELECT i.indrelid AS oid, c.relname AS name, i.indisprimary AS primary, NOT i.indimmediate AS deferrable,
       NOT i.indnullsnotdistinct AS nulls_distinct, (i.indkey::int2[])[0:i.indnkeyatts - 1]::int[] || ARRAY(
           SELECT found[1]::int FROM regexp_matches(i.indexprs::text, ':varattno (\\d+)', 'g') AS found) AS columns,
       ARRAY(SELECT found[1]::int FROM regexp_matches(i.indpred::text, ':varattno (\\d+)', 'g') AS found) AS condition
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid
 WHERE i.indrelid = ANY(%s) AND i.indisunique
 ORDER BY c.relname"""

_CONSTRAINTS = """
SELECT f.conrelid AS oid, f.conname AS name, f.contype::text AS kind, f.conkey::int[] AS columns,
       f.confdeltype = 'n' AS unsets, pn.nspname || '.' || p.relname AS parent
  FROM pg_constraint f
  LEFT JOIN pg_class p ON p.oid = f.confrelid
  LEFT JOIN pg_namespace pn ON pn.oid = p.relnamespace
 WHERE f.conrelid = ANY(%s) AND f.contype IN ('c', 'x', 'f')
 ORDER BY f.conname"""

Connection = psycopg.Connection[DictRow]
Rows = Sequence[DictRow]
Names = Mapping[int, str]


def connect(dsn: str) -> Connection:
    """Open a session that reads only; names outside of pg_catalog come with their schema."""
    return psycopg.connect(
        dsn,
        autocommit=True,
        connect_timeout=CONNECT_SECONDS,
        application_name="kuroshio check",
        options=OPTIONS,
        row_factory=dict_row,
    )


def read(connection: Connection, names: Iterable[str]) -> dict[str, Relation]:
    """Read those of the tables, named `schema.table`, that there are."""
    found = connection.execute(_TABLES, (list(names),)).fetchall()
    oids = [row["oid"] for row in found]
    columns, indexes, constraints = (
        _by_oid(connection.execute(query, (oids,)).fetchall()) for query in (_COLUMNS, _INDEXES, _CONSTRAINTS)
    )
    return {
        row["name"]: _relation(row, columns[row["oid"]], indexes[row["oid"]], constraints[row["oid"]]) for row in found
    }


def recorded(connection: Connection) -> dict[str, Mapping[str, Any]]:
    """Read the rules that replication's triggers follow, by table; none where there is no replication yet."""
    if connection.execute("SELECT to_regclass('kuroshio.replicated_table') AS found").fetchall()[0]["found"] is None:
        return {}
    rows = connection.execute(
        "SELECT nspname || '.' || relname AS name, rules FROM kuroshio.replicated_table"
    ).fetchall()
    return {row["name"]: row["rules"] for row in rows}


def _by_oid(rows: Rows) -> defaultdict[int, list[DictRow]]:
    grouped: defaultdict[int, list[DictRow]] = defaultdict(list)
    for row in rows:
        grouped[row["oid"]].append(row)
    return grouped


def _relation(row: DictRow, columns: Rows, indexes: Rows, constraints: Rows) -> Relation:
    names = {column["number"]: column["name"] for column in columns}
    primary = [index for index in indexes if index["primary"]]

    def of_kind(kind: str) -> list[DictRow]:
        return [each for each in constraints if each["kind"] == kind]

    return Relation(
        columns={column["name"]: _column(column, names) for column in columns},
        key=tuple(name for index in primary for name in _named(index["columns"], names)),
        key_deferrable=any(index["deferrable"] for index in primary),
        plain=row["plain"],
        unique_keys=tuple(_unique_key(index, names) for index in indexes if not index["primary"]),
        checks=tuple(_constraint(each, names) for each in of_kind("c")),
        exclusions=tuple(_constraint(each, names) for each in of_kind("x")),
        foreign_keys=tuple(
            ForeignKey(each["name"], _named(each["columns"], names), each["parent"], each["unsets"])
            for each in of_kind("f")
        ),
    )


def _column(row: DictRow, names: Names) -> Column:
    sources = row["computed_from"]
    computed_from = None if sources is None else _named(sources, names)
    return Column(row["type"], row["nullable"], row["default"], computed_from)


def _unique_key(row: DictRow, names: Names) -> UniqueKey:
    return UniqueKey(row["name"], _named(row["columns"], names), _named(row["condition"], names), row["nulls_distinct"])


def _constraint(row: DictRow, names: Names) -> Constraint:
    return Constraint(row["name"], _named(row["columns"], names))


def _named(numbers: Iterable[int], names: Names) -> tuple[str, ...]:
    """Name columns by their numbers, each once; an expression's 0 is none."""
    return tuple(dict.fromkeys(names[number] for number in numbers if number in names))

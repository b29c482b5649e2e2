"""What ties rows to other rows: unique indexes besides the primary key, with their rules, and foreign keys."""

from dataclasses import dataclass
from typing import Any

from replication.core.claims import UniqueKey
from replication.errors import UsageError
from replication.postgres.catalog import ForeignKey, Table, references
from replication.postgres.connect import Connection
from sitecfg import TableRules, is_text

_INDEXES = """
SELECT c.relname::text, pg_get_expr(i.indpred, i.indrelid), NOT i.indnullsnotdistinct, i.indimmediate,
       ARRAY(SELECT pg_get_indexdef(i.indexrelid, n, false) FROM generate_series(1, i.indnkeyatts) AS n ORDER BY n),
       ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum IN (
             SELECT unnest((i.indkey::int2[])[0 : i.indnkeyatts - 1])
              UNION SELECT found[1]::int2
                FROM regexp_matches(concat(i.indexprs, i.indpred), ':varattno (\\d+)', 'g') AS found)
             ORDER BY array_position(i.indkey::int2[], a.attnum), a.attnum)
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid
 WHERE i.indrelid = %s::regclass AND i.indisunique AND NOT i.indisprimary AND i.indisvalid
 ORDER BY c.relname"""

_COMPUTED = """
SELECT a.attname::text, pg_get_expr(d.adbin, d.adrelid),
       ARRAY(SELECT s.attname::text FROM regexp_matches(d.adbin::text, ':varattno (\\d+)', 'g') AS found
               JOIN pg_attribute s ON s.attrelid = a.attrelid AND s.attnum = found[1]::int2)
  FROM pg_attribute a JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = %s::regclass AND a.attgenerated <> '' AND NOT a.attisdropped"""


@dataclass(frozen=True, slots=True)
class UniqueIndex:
    """A unique index: its key expressions and condition in SQL, over plain column names."""

    name: str
    columns: tuple[str, ...]
    """The stored columns that it depends on, by their first names."""
    computed: tuple[tuple[str, str], ...]
    """Generated columns that it reads, each with its expression."""
    expressions: tuple[str, ...]
    condition: str
    nulls_distinct: bool
    immediate: bool
    """False: a deferrable constraint, which PostgreSQL does not enforce on what apply writes: that is a replica's."""


def _unique_indexes(connection: Connection, table: Table) -> tuple[UniqueIndex, ...]:
    """All of them, by name."""
    name = table.identifier.as_string(connection)
    found: list[Any] = connection.execute(_INDEXES, (name,)).fetchall()
    if not found:
        return ()
    computed = {column: (expression, sources) for column, expression, sources in _rows(connection, _COMPUTED, name)}
    return tuple(_index(table, row, computed) for row in found)


def _rows(connection: Connection, query: str, name: str) -> list[Any]:
    return connection.execute(query, (name,)).fetchall()


def _index(table: Table, row: Any, computed: dict[str, tuple[str, list[str]]]) -> UniqueIndex:
    name, condition, nulls_distinct, immediate, expressions, columns = row
    stored: dict[str, None] = {}
    for column in columns:
        stored.update(dict.fromkeys(computed[column][1] if column in computed else [column]))
    reads = tuple((column, computed[column][0]) for column in columns if column in computed)
    return UniqueIndex(
        name, tuple(map(table.first, stored)), reads, tuple(expressions), condition or "", nulls_distinct, immediate
    )


@dataclass(frozen=True, slots=True)
class Constraints:
    """What ties a table's rows to other rows."""

    indexes: tuple[UniqueIndex, ...] = ()
    references: tuple[ForeignKey, ...] = ()
    """All of them, also to tables that are not replicated."""


def constraints(connection: Connection, table: Table) -> Constraints:
    """Read them from the catalog."""
    return Constraints(_unique_indexes(connection, table), references(connection, table))


def unique_keys(table: Table, found: Constraints, rules: TableRules) -> list[tuple[UniqueIndex, UniqueKey]]:
    """The table's unique indexes, each under its rule."""
    return [(index, _unique_key(table, index, found.references, rules)) for index in found.indexes]


def _unique_key(table: Table, index: UniqueIndex, referring: tuple[ForeignKey, ...], rules: TableRules) -> UniqueKey:
    """The index under its rule. Raises :class:`UsageError` where no column can bear the rule's substitute."""
    outcome = rules.unique_key(index.name).outcome
    if outcome == "hide":
        return UniqueKey(index.name, index.columns, outcome)
    for column in table.columns:
        if column.name in index.columns and _bears(table, index, referring, rules, column.name):
            length = int(column.type.partition("(")[2].rstrip(")") or 0) if outcome == "mark" else 0
            return UniqueKey(index.name, index.columns, outcome, column.name, length)
    raise UsageError(
        f"{table}: no column of the unique key {index.name} can show "
        + (
            'a marked text: say unique = "hide" or "null" (a mark stands in a text column that the key reads as it is,'
            " or through lower() or upper(), and that is no key, no owner, no reference, and in no group)"
            if outcome == "mark"
            else 'NULL: say unique = "hide" or "mark" (NULL stands in a column that takes it, and that is no key,'
            " no owner and in no group, where the NULLs of the key are distinct)"
        )
    )


def _bears(table: Table, index: UniqueIndex, referring: tuple[ForeignKey, ...], rules: TableRules, name: str) -> bool:
    taken = {column for reference in referring for column in reference.columns}
    grouped = {column for group in rules.groups.values() for column in group}
    if name in {*table.key, *taken, *grouped, rules.owner} or rules.column(name).names & _NOT_A_VALUE:
        return False
    column = next(one for one in table.columns if one.name == name)
    if rules.unique_key(index.name).outcome == "null":
        return column.nullable and index.nulls_distinct
    return is_text(column.type) and any(_reads(expression, column.here) for expression in index.expressions)


_NOT_A_VALUE = frozenset({"counter", "set", "append", "greatest", "least"})
"""Rules under which the value in the table is more than a value: the trigger compares with it."""


def _reads(expression: str, name: str) -> bool:
    """Does the expression tell a text from that text with a mark?"""
    quoted = '"' + name.replace('"', '""') + '"'
    plain = {form for one in (name, quoted) for form in (one, f"({one})::text")}
    return expression in plain | {f"{function}({form})" for function in ("lower", "upper") for form in plain}

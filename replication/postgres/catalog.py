"""What the catalog says of a table: its columns, its primary key, its foreign keys. Read once, held as plain data."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from psycopg import sql
from psycopg.abc import AdaptContext

from replication.errors import UsageError
from replication.postgres.connect import Connection
from sitecfg import TableRules

STAMPS = "kuroshio"
"""The column that holds a replicated row's stamps."""
PARTS = "kuroshio_parts"
"""The column that holds the parts of cells (replication/core/rules), in tables with a rule that has any."""
CLAIMS = "kuroshio_claims"
"""The column that holds what a row claims and does not show (replication/core/claims.py), in tables where a column may
show something else."""
OWN_COLUMNS = (STAMPS, PARTS, CLAIMS)


FirstName = Callable[[str], str]


class Quoted(sql.Identifier):
    """A name in a statement that takes parameters: there psycopg reads a percent sign as the start of a placeholder."""

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        return super().as_bytes(context).replace(b"%", b"%%")


class Constant(sql.Literal):
    """A value that stands in a statement which takes parameters."""

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        return super().as_bytes(context).replace(b"%", b"%%")


def type_name(cast: str) -> sql.SQL:
    """A type's name in a statement that takes parameters."""
    return sql.SQL(cast.replace("%", "%%"))


@dataclass(frozen=True, slots=True)
class Column:
    """One column that travels; ``type`` is PostgreSQL's spelling, with modifiers. ``name`` is the first that it had, by
    which its cells are known everywhere; ``here`` what this database calls it.

    ``cast`` is the type without them: an explicit cast to varchar(3) would cut a longer value off without a word, while
    the assignment to the column refuses it.
    """

    name: str
    type: str
    cast: str
    here: str = ""
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A reference to a parent row: the child's columns and the parent's, in the same order; those of the other table by
    what this database calls them."""

    name: str
    columns: tuple[str, ...]
    parent: tuple[str, str]
    parent_columns: tuple[str, ...]
    cascades: bool = False
    """ON DELETE CASCADE: PostgreSQL deletes the children with their parent."""
    unsets: bool = False
    """ON DELETE SET NULL: PostgreSQL takes the reference out of the children."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table as replication sees it: generated columns and replication's own are left out of ``columns``."""

    schema: str
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    children: tuple["ForeignKey", ...] = ()
    """Foreign keys of other tables that refer to this one; here ``parent`` names the child table."""
    types: dict[str, str] = field(default_factory=dict)
    """Column -> the type to cast its text to."""
    own_columns: frozenset[str] = frozenset({STAMPS})
    """Of replication's own columns those that it has."""
    renamed: dict[str, str] = field(default_factory=dict)
    """Of columns that were renamed: first name -> the name here."""

    @property
    def qualified(self) -> tuple[str, str]:
        return self.schema, self.name

    @property
    def identifier(self) -> sql.Identifier:
        """The quoted name, for a statement without parameters."""
        return sql.Identifier(self.schema, self.name)

    @property
    def quoted(self) -> Quoted:
        """The quoted name, for a statement with parameters."""
        return Quoted(self.schema, self.name)

    @property
    def values(self) -> tuple[str, ...]:
        """The columns that are not in the key."""
        return tuple(column.name for column in self.columns if column.name not in self.key)

    def here(self, column: str, *qualifier: str) -> Quoted:
        """What this database calls a column, quoted, for a statement with parameters."""
        return Quoted(*qualifier, self.renamed.get(column, column))

    def first(self, here: str) -> str:
        """The first name of a column that this database calls so."""
        return next((first for first, name in self.renamed.items() if name == here), here)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


_COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod), format_type(atttypid, -1), NOT attnotnull
  FROM pg_attribute
 WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attname <> ALL (%s)
 ORDER BY attnum"""

_KEY = """
SELECT array_agg(a.attname::text ORDER BY k.position)
  FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, position)
  JOIN pg_attribute a ON a.attrelid = %s AND a.attnum = k.attnum
 WHERE i.indrelid = %s AND i.indisprimary"""

_FOREIGN_KEYS = """
SELECT c.conname::text,
       array(SELECT attname::text FROM unnest(c.conkey) WITH ORDINALITY u(n, o)
               JOIN pg_attribute ON attrelid = c.conrelid AND attnum = n ORDER BY o),
       ns.nspname::text, rel.relname::text,
       array(SELECT attname::text FROM unnest(c.confkey) WITH ORDINALITY u(n, o)
               JOIN pg_attribute ON attrelid = c.confrelid AND attnum = n ORDER BY o),
       c.confdeltype = 'c', c.confdeltype = 'n'
  FROM pg_constraint c
  JOIN pg_class rel ON rel.oid = CASE WHEN %(up)s THEN c.confrelid ELSE c.conrelid END
  JOIN pg_namespace ns ON ns.oid = rel.relnamespace
  LEFT JOIN kuroshio.replicated_table r ON r.nspname = ns.nspname AND r.relname = rel.relname
 WHERE c.contype = 'f' AND (r.relname IS NOT NULL OR %(all)s)
   AND CASE WHEN %(up)s THEN c.conrelid ELSE c.confrelid END = %(oid)s
 ORDER BY c.conname"""


def split_name(name: str) -> tuple[str, str]:
    """Read ``SCHEMA.TABLE`` as typed by an operator: PostgreSQL's quoting is understood, the schema may be left out."""
    parts, rest = [], name
    while rest:
        part, rest = _first_part(rest)
        parts.append(part)
    if len(parts) == 1:
        parts.insert(0, "public")
    if len(parts) != 2 or not all(parts):
        raise UsageError(f"{name!r} is not a table name: give it as SCHEMA.TABLE")
    return parts[0], parts[1]


def _first_part(text: str) -> tuple[str, str]:
    if not text.startswith('"'):
        part, _, rest = text.partition(".")
        return part, rest
    end = 1
    while (end := text.find('"', end)) != -1:
        if text[end + 1 : end + 2] != '"':
            return text[1:end].replace('""', '"'), text[end + 2 :]
        end += 2
    raise UsageError(f"{text!r} lacks a closing quotation mark")


def table_oid(connection: Connection, schema: str, name: str) -> int:
    """The oid of an ordinary table; everything else is refused with a reason."""
    row = connection.execute(
        "SELECT c.oid, c.relkind, c.relpersistence FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = %s",
        (schema, name),
    ).fetchone()
    if row is None:
        raise UsageError(f"there is no table {schema}.{name} in this database")
    if row[1] != b"r" and row[1] != "r":
        raise UsageError(f"{schema}.{name} is not an ordinary table: partitioned tables and views are not replicated")
    if row[2] not in (b"p", "p"):
        raise UsageError(f"{schema}.{name} is not logged (or temporary): what is not in the WAL cannot be replicated")
    return int(str(row[0]))


def first_names(connection: Connection, schema: str, name: str) -> FirstName:
    """What was declared of a table's columns: the name here -> the first that it had."""
    row = connection.execute(
        "SELECT rules->'renamed' FROM kuroshio.replicated_table WHERE nspname = %s AND relname = %s", (schema, name)
    ).fetchone()
    return TableRules(renamed=dict(row[0]) if row and row[0] else {}).first_name  # type: ignore[call-overload]


def describe(connection: Connection, schema: str, name: str, first_name: FirstName | None = None) -> Table:
    """Read a table from the catalog. Raises :class:`UsageError` where it cannot be replicated."""
    oid = table_oid(connection, schema, name)
    first = first_name or first_names(connection, schema, name)
    columns = tuple(
        Column(first(str(n)), str(t), str(c), str(n), bool(nullable))
        for n, t, c, nullable in connection.execute(_COLUMNS, (oid, list(OWN_COLUMNS))).fetchall()
    )
    own = connection.execute(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = %s AND attname = ANY (%s) AND NOT attisdropped",
        (oid, list(OWN_COLUMNS)),
    ).fetchall()
    key = connection.execute(_KEY, (oid, oid)).fetchone()
    if key is None or not key[0]:
        raise UsageError(
            f"{schema}.{name} has no primary key, so its rows cannot be told apart at the sites: "
            f"add one, for example ALTER TABLE {schema}.{name} ADD COLUMN id uuid PRIMARY KEY DEFAULT gen_random_uuid()"
        )
    names = tuple(str(part) for part in key[0])  # type: ignore[attr-defined]
    return Table(
        schema,
        name,
        columns,
        names,
        tuple(replace(key, columns=tuple(map(first, key.columns))) for key in _foreign_keys(connection, oid, up=True)),
        _foreign_keys(connection, oid, up=False),
        {column.name: column.cast for column in columns},
        own_columns=frozenset({STAMPS, *(str(row[0]) for row in own)}),
        renamed={column.name: column.here for column in columns if column.name != column.here},
    )


def references(connection: Connection, table: Table) -> tuple[ForeignKey, ...]:
    """All foreign keys of a table, also those to tables that are not replicated, or not yet."""
    found = _foreign_keys(connection, table_oid(connection, *table.qualified), up=True, everything=True)
    return tuple(replace(key, columns=tuple(map(table.first, key.columns))) for key in found)


def _foreign_keys(connection: Connection, oid: int, *, up: bool, everything: bool = False) -> tuple[ForeignKey, ...]:
    rows: list[Any] = connection.execute(_FOREIGN_KEYS, {"oid": oid, "up": up, "all": everything}).fetchall()
    return tuple(
        ForeignKey(constraint, tuple(columns), (schema, name), tuple(others), cascades, unsets)
        for constraint, columns, schema, name, others, cascades, unsets in rows
    )

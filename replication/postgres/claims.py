"""Finds who claims what (replication/core/claims.py): by PostgreSQL's equality, the index's expressions and condition.

A row claims with what it holds, whatever it shows: in the place of a substitute what stands in ``kuroshio_claims``, and
hidden rows by their image in ``kuroshio.tombstone``.
"""

from collections.abc import Sequence
from typing import Any

from psycopg import sql

from replication.core.claims import Claim, Hidden
from replication.core.stamps import cell_key
from replication.postgres.catalog import CLAIMS, STAMPS, Constant, ForeignKey, Quoted, Table, type_name
from replication.postgres.connect import Connection
from replication.postgres.indexes import UniqueIndex
from replication.postgres.parameters import TextArray
from replication.postgres.rows import key_matches, key_text, source

Key = tuple[bytes, ...]


def claims(connection: Connection, table: Table, index: UniqueIndex, keys: Sequence[Key]) -> list[Claim]:
    """All claims on what the rows with these keys claim, their own among them."""
    if not keys:
        return []
    columns = [TextArray(list(column)) for column in zip(*keys, strict=True)]
    rows: list[Any] = connection.execute(_claims(table, index), [*columns, *columns]).fetchall()
    return [Claim(int(value), _encoded(key), int(age)) for value, key, age in rows]


def waiting(connection: Connection, table: Table, limit: int) -> list[Key]:
    """Rows that show something else than they claim, or are hidden; not always the same ones where there are many."""
    hidden = sql.SQL(
        "SELECT g.key FROM kuroshio.tombstone g WHERE g.nspname = {} AND g.relname = {} AND g.hidden <> ''"
    ).format(Constant(table.schema), Constant(table.name))
    queries = [hidden, *([_substituted(table)] if CLAIMS in table.own_columns else [])]
    query = sql.SQL("SELECT key FROM ({}) AS w(key) ORDER BY md5(key::text || to_char(now(), 'SS')) LIMIT %s")
    rows: list[Any] = connection.execute(query.format(sql.SQL(" UNION ALL ").join(queries)), (limit,)).fetchall()
    return sorted({_encoded(key) for (key,) in rows})


def substituted(connection: Connection, table: Table) -> list[Key]:
    """Rows that show something else than they claim."""
    if CLAIMS not in table.own_columns:
        return []
    rows: list[Any] = connection.execute(_substituted(table)).fetchall()
    return sorted(_encoded(key) for (key,) in rows)


def _substituted(table: Table) -> sql.Composed:
    return sql.SQL("SELECT {} FROM {} t WHERE t.{} IS NOT NULL").format(_row_key(table), table.quoted, Quoted(CLAIMS))


def children(connection: Connection, child: Table, reference: ForeignKey, parents: Sequence[Key]) -> list[Key]:
    """The rows of a table, hidden ones too, that refer by ``reference`` to one of these rows: their keys."""
    columns = [TextArray(list(column)) for column in zip(*parents, strict=True)]
    names = tuple(map(child.first, reference.columns))
    shown = sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(child.here(name, "t"), _cast(child, name, place)) for place, name in enumerate(names)
    )
    queries = [
        sql.SQL("SELECT {} FROM {} JOIN {} t ON {}").format(_row_key(child), source(names), child.quoted, shown),
        sql.SQL(
            "SELECT g.key FROM {} JOIN kuroshio.tombstone g"
            " ON g.nspname = {} AND g.relname = {} AND g.hidden <> '' AND {}"
        ).format(
            source(names),
            Constant(child.schema),
            Constant(child.name),
            said(child, sql.SQL("g.cells"), sql.SQL("g.key"), names),
        ),
    ]
    if CLAIMS in child.own_columns:
        queries.append(
            sql.SQL("SELECT {} FROM {} JOIN {} t ON t.{} IS NOT NULL AND {}").format(
                _row_key(child),
                source(names),
                child.quoted,
                Quoted(CLAIMS),
                said(child, sql.SQL("t.{}").format(Quoted(CLAIMS)), _row_key(child), names),
            )
        )
    rows: list[Any] = connection.execute(
        sql.SQL("SELECT key FROM ({}) AS c(key)").format(sql.SQL(" UNION ALL ").join(queries)), columns * len(queries)
    ).fetchall()
    return sorted({_encoded(key) for (key,) in rows})


def cascaded(connection: Connection, child: Table, reference: ForeignKey, parents: Sequence[Key]) -> list[Key]:
    """The rows of a table that were deleted with a parent, be they back, and refer by ``reference`` to one of these."""
    columns = [TextArray(list(column)) for column in zip(*parents, strict=True)]
    names = tuple(map(child.first, reference.columns))
    shown = sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(child.here(name, "t"), _cast(child, name, place)) for place, name in enumerate(names)
    )
    values = {
        "source": source(names),
        "in_table": sql.SQL("g.nspname = {} AND g.relname = {} AND g.referential").format(
            Constant(child.schema), Constant(child.name)
        ),
        "said": said(child, sql.SQL("g.cells"), sql.SQL("g.key"), names),
        "child": child.quoted,
        "shown": shown,
        "row_key": _row_key(child),
    }
    query = sql.SQL(
        "SELECT g.key FROM {source} JOIN kuroshio.tombstone g ON {in_table} AND g.stamps IS NOT NULL AND {said} UNION"
        " SELECT g.key FROM {source} JOIN {child} t ON {shown}"
        "   JOIN kuroshio.tombstone g ON {in_table} AND g.stamps IS NULL AND g.key = {row_key}"
    ).format(**values)
    rows: list[Any] = connection.execute(query, columns * 2).fetchall()
    return sorted({_encoded(key) for (key,) in rows})


def needs(parent: Table, child: Table, reference: ForeignKey) -> list[sql.Composed]:
    """Does a row that is out of sight refer to the row of the tombstone ``t``, or one that shows NULL instead?

    Conditions on tombstones of ``parent``, to whose key ``reference`` refers.
    """
    buried = refers_out_of_sight(parent, child, reference)
    if CLAIMS not in child.own_columns:
        return [buried]
    own = sql.SQL("c.{}").format(Quoted(CLAIMS))
    key = sql.SQL("ARRAY[{}]").format(sql.SQL(", ").join(sql.SQL("c.{}::text").format(Quoted(n)) for n in child.key))
    names = tuple(map(child.first, reference.columns))
    unset = sql.SQL("EXISTS (SELECT FROM {} c WHERE {} IS NOT NULL AND {})").format(
        child.quoted, own, said(child, own, key, names, wanted_by(reference, parent))
    )
    return [buried, unset]


def refers_out_of_sight(parent: Table, child: Table, reference: ForeignKey) -> sql.Composed:
    """Does a row that is not in its table refer to the row of the tombstone ``t``? Not counted is who goes with it."""
    names = tuple(map(child.first, reference.columns))
    follows = "c.hidden = '' AND c.referential AND NOT kuroshio.is_contested(c.deleted, c.saw, c.stamps)"
    return sql.SQL(
        "EXISTS (SELECT FROM kuroshio.tombstone c WHERE c.nspname = {} AND c.relname = {} AND c.stamps IS NOT NULL"
        " AND (c.nspname, c.relname, c.key) <> (t.nspname, t.relname, t.key) AND NOT ({}) AND {})"
    ).format(
        Constant(child.schema),
        Constant(child.name),
        sql.SQL(follows if reference.cascades else "false"),
        said(child, sql.SQL("c.cells"), sql.SQL("c.key"), names, wanted_by(reference, parent)),
    )


def wanted_by(reference: ForeignKey, parent: Table) -> list[sql.Composed]:
    """What a row holds in the columns of ``reference`` that refers to the row of the tombstone ``t`` of ``parent``."""
    return [
        sql.SQL("t.key[{}]::{}").format(sql.Literal(parent.key.index(name) + 1), type_name(parent.types[name]))
        for name in reference.parent_columns
    ]


def follows(child: Table, reference: ForeignKey, parent: Table) -> sql.Composed:
    """Was the row of the tombstone ``t`` of ``child`` deleted with a parent that has one, too? Then it goes later."""
    wanted = [
        sql.SQL("p.key[{}]::{}").format(sql.Literal(parent.key.index(name) + 1), type_name(parent.types[name]))
        for name in reference.parent_columns
    ]
    refers = said(child, sql.SQL("t.cells"), sql.SQL("t.key"), reference.columns, wanted)
    return sql.SQL(
        "(t.referential AND EXISTS (SELECT FROM kuroshio.tombstone p WHERE p.nspname = {} AND p.relname = {} AND {}))"
    ).format(Constant(parent.schema), Constant(parent.name), refers)


def due_back(connection: Connection, child: Table, reference: ForeignKey, parent: Table) -> list[Key]:
    """Rows that were deleted with a parent, and whose parent is there."""
    wanted = [sql.SQL("p.{}").format(Quoted(name)) for name in reference.parent_columns]
    refers = said(child, sql.SQL("g.cells"), sql.SQL("g.key"), reference.columns, wanted)
    query = sql.SQL(
        "SELECT g.key FROM kuroshio.tombstone g JOIN {} p ON {} WHERE g.nspname = {} AND g.relname = {}"
        " AND g.referential AND g.hidden = '' AND g.stamps IS NOT NULL"
    ).format(parent.quoted, refers, Constant(child.schema), Constant(child.name))
    rows: list[Any] = connection.execute(query, ()).fetchall()
    return sorted({_encoded(key) for (key,) in rows})


def hidden_among(connection: Connection, table: Table, keys: Sequence[Key]) -> dict[Key, Hidden]:
    """Those of these rows that exist and are hidden, and why."""
    columns = [TextArray(list(column)) for column in zip(*keys, strict=True)]
    query = sql.SQL(
        "SELECT s.ordinal, g.hidden FROM {} JOIN kuroshio.tombstone g"
        " ON g.nspname = {} AND g.relname = {} AND g.key = {} AND g.hidden <> ''"
    ).format(source(table.key), Constant(table.schema), Constant(table.name), key_text(table))
    rows: list[Any] = connection.execute(query, columns).fetchall()
    return {keys[int(ordinal) - 1]: Hidden(str(why)) for ordinal, why in rows}


def _encoded(key: Sequence[str]) -> Key:
    return tuple(part.encode() for part in key)


def _row_key(table: Table) -> sql.Composed:
    return sql.SQL("ARRAY[{}]").format(sql.SQL(", ").join(sql.SQL("t.{}::text").format(Quoted(n)) for n in table.key))


def _cast(table: Table, column: str, place: int) -> sql.Composed:
    return sql.SQL("s.{}::{}").format(Quoted(f"c{place}"), type_name(table.types[column]))


def said(
    table: Table,
    cells: sql.Composable,
    key: sql.Composable,
    columns: Sequence[str],
    wanted: Sequence[sql.Composable] = (),
) -> sql.Composed:
    """What a row holds in these columns, by its image or its claims, equals what is ``wanted``: the source columns."""
    wanted = wanted or [_cast(table, name, place) for place, name in enumerate(columns)]
    parts = []
    for name, value in zip(columns, wanted, strict=True):
        if name in table.key:
            held: sql.Composable = sql.SQL("({})[{}]").format(key, sql.Literal(table.key.index(name) + 1))
        else:
            held = sql.SQL("({}->>{})").format(cells, Constant(name))
        parts.append(sql.SQL("{}::{} = {}").format(held, type_name(table.types[name]), value))
    return sql.SQL(" AND ").join(parts)


_CLAIMS = """
WITH seed AS MATERIALIZED (
    SELECT DISTINCT {elements} FROM (
        SELECT e.* FROM {wanted} JOIN {table} t ON {key_matches} {shown}
         UNION ALL
        SELECT e.* FROM {wanted} JOIN kuroshio.tombstone g
            ON {in_table} AND g.hidden IN ('unique', 'parent') AND g.key = {key_text} {hidden}
    ) AS e WHERE e.holds{not_null}),
claim AS (
    SELECT e.* FROM seed CROSS JOIN LATERAL (
        SELECT {row_key} AS key, {age} AS age, {bare} FROM {table} t WHERE {found}{as_shown}) AS e
     UNION ALL
    {substituted}
    SELECT {grave_key} AS key, {grave_age} AS age, {named} FROM kuroshio.tombstone g {hidden}
     WHERE {in_table} AND g.hidden IN ('unique', 'parent') AND e.holds AND EXISTS (SELECT FROM seed WHERE {same})
       AND NOT EXISTS (SELECT FROM {table} t WHERE {row_key} = g.key))
SELECT dense_rank() OVER (ORDER BY {elements}), key, age FROM claim"""

_SUBSTITUTED = """
    SELECT {row_key} AS key, {age} AS age, {named} FROM {table} t {shown}
     WHERE t.{claims} IS NOT NULL AND NOT ({as_shown}) AND e.holds AND EXISTS (SELECT FROM seed WHERE {same})
     UNION ALL"""


def _claims(table: Table, index: UniqueIndex) -> sql.Composed:
    count = len(index.expressions)
    elements = [Quoted(f"k{place}") for place in range(count)]
    expressions = [sql.SQL("({})").format(_source_of(one)) for one in index.expressions]
    equal = sql.SQL("=") if index.nulls_distinct else sql.SQL("IS NOT DISTINCT FROM")
    holds = _source_of(f"({index.condition})") if index.condition else sql.SQL("true")
    found = [
        *(
            sql.SQL("{} {} seed.{}").format(expression, equal, element)
            for expression, element in zip(expressions, elements, strict=True)
        ),
        *([holds] if index.condition else []),
    ]
    same = [sql.SQL("e.{0} {1} seed.{0}").format(element, equal) for element in elements]
    not_null = [sql.SQL(" AND e.{} IS NOT NULL").format(element) for element in elements if index.nulls_distinct]
    as_shown: sql.Composable = sql.SQL("true")
    if CLAIMS in table.own_columns:
        names = [Constant(name) for name in index.columns]
        as_shown = sql.SQL("coalesce(NOT t.{} ?| ARRAY[{}], true)").format(Quoted(CLAIMS), sql.SQL(", ").join(names))
    values = {
        "elements": sql.SQL(", ").join(elements),
        "named": sql.SQL(", ").join(sql.SQL("e.{}").format(element) for element in elements),
        "bare": sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(expression, element)
            for expression, element in zip(expressions, elements, strict=True)
        ),
        "wanted": source(table.key),
        "table": table.quoted,
        "key_matches": key_matches(table),
        "key_text": key_text(table),
        "in_table": sql.SQL("g.nspname = {} AND g.relname = {}").format(Constant(table.schema), Constant(table.name)),
        "shown": _evaluated(table, index, expressions, holds, hidden=False),
        "hidden": _evaluated(table, index, expressions, holds, hidden=True),
        "not_null": sql.SQL("").join(not_null),
        "row_key": _row_key(table),
        "age": _age(table, index, sql.SQL("t.{}").format(Quoted(STAMPS))),
        "grave_key": sql.SQL("g.key"),
        "grave_age": _age(table, index, sql.SQL("g.stamps")),
        "found": sql.SQL(" AND ").join(found),
        "same": sql.SQL(" AND ").join(same),
        "claims": Quoted(CLAIMS),
    }
    substituted: sql.Composable = sql.SQL("")
    if CLAIMS in table.own_columns:
        substituted = sql.SQL(_SUBSTITUTED).format(as_shown=as_shown, **values)
    return sql.SQL(_CLAIMS).format(substituted=substituted, as_shown=sql.SQL(" AND {}").format(as_shown), **values)


def _source_of(expression: str) -> sql.SQL:
    """SQL that PostgreSQL gave, in a statement which takes parameters."""
    return sql.SQL(expression.replace("%", "%%"))


def _evaluated(
    table: Table, index: UniqueIndex, expressions: Sequence[sql.Composable], holds: sql.Composable, *, hidden: bool
) -> sql.Composed:
    """Joins ``e``: the index's elements k0, k1, … and whether its condition holds, of what a row holds."""
    stored = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(_held(table, name, hidden=hidden), table.here(name)) for name in index.columns
    )
    computed = sql.SQL("").join(
        sql.SQL(", ({}) AS {}").format(_source_of(expression), Quoted(name)) for name, expression in index.computed
    )
    elements = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(expression, Quoted(f"k{place}")) for place, expression in enumerate(expressions)
    )
    return sql.SQL(
        "CROSS JOIN LATERAL (SELECT {elements}, {holds} AS holds"
        " FROM (SELECT *{computed} FROM (SELECT {stored}) AS held) AS row_) AS e"
    ).format(elements=elements, holds=holds, computed=computed, stored=stored)


def _held(table: Table, name: str, *, hidden: bool) -> sql.Composable:
    """A column's own value in a row that is in the table (``t``) or hidden (``g``)."""
    cast = type_name(table.types[name])
    if hidden and name in table.key:
        return sql.SQL("g.key[{}]::{}").format(sql.Literal(table.key.index(name) + 1), cast)
    if hidden:
        return sql.SQL("(g.cells->>{})::{}").format(Constant(name), cast)
    if CLAIMS not in table.own_columns or name in table.key:
        return table.here(name, "t")
    return sql.SQL("CASE WHEN t.{claims} ? {name} THEN (t.{claims}->>{name})::{cast} ELSE {column} END").format(
        claims=Quoted(CLAIMS), name=Constant(name), cast=cast, column=table.here(name, "t")
    )


def _age(table: Table, index: UniqueIndex, stamps: sql.Composable) -> sql.Composed:
    cells = [name for name in index.columns if name not in table.key]
    moments = [
        sql.SQL("coalesce(nullif(kuroshio.get({0}, {1}), 0), {0}[1])").format(stamps, Constant(cell_key(name)))
        for name in cells
    ]
    return sql.SQL("greatest({})").format(sql.SQL(", ").join(moments or [sql.SQL("{}[1]").format(stamps)]))

"""What a site keeps of rows that it is not shared (any more), and of moves that it has to pass on (residency.sql)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from replication.core.merge import Row, RowRules
from replication.core.rules import Cell
from replication.core.stamps import BOTTOM, SITE_MASK, Stamps, cell_id, cell_key, mask_key
from replication.core.views import ALWAYS, NEVER, Reach, TableView, Values
from replication.core.widening import Widening
from replication.postgres.catalog import Constant, Table
from replication.postgres.connect import Connection
from replication.postgres.parameters import TextArray
from replication.postgres.rows import key_text, source
from replication.postgres.states import Key, folded
from replication.wire.columns import Values as Column

_WITHHELD = """
  FROM {source} JOIN kuroshio.withheld w ON w.nspname = {schema} AND w.relname = {name} AND w.key = {key}"""


def withheld(connection: Connection, table: Table, column: str, keys: Sequence[Key]) -> dict[Key, Row]:
    """What is known of rows that were withdrawn here: their life, and the cell that decided it."""
    query = sql.SQL("SELECT s.ordinal, w.life, w.stamps, w.value" + _WITHHELD)
    rows: list[Any] = connection.execute(
        _named(query, table), [TextArray(list(part)) for part in zip(*keys, strict=True)]
    ).fetchall()
    return {keys[ordinal - 1]: _remembered(column, life, stamps, value) for ordinal, life, stamps, value in rows}


def _remembered(column: str, life: int, packed: Sequence[int], value: str | None) -> Row:
    stamp = Stamps.unpack(packed).of(cell_id(column))
    return Row(life, cells={column: Cell(stamp, None if value is None else value.encode())})


def withheld_among(connection: Connection, table: Table, keys: Sequence[Column]) -> set[int]:
    """The indices of those rows of a section that were withdrawn here."""
    query = sql.SQL("SELECT s.ordinal" + _WITHHELD)
    rows = connection.execute(_named(query, table), [TextArray(list(column)) for column in keys]).fetchall()
    return {int(str(ordinal)) - 1 for (ordinal,) in rows}


def _named(query: sql.SQL, table: Table) -> sql.Composed:
    return query.format(
        source=source(table.key), schema=Constant(table.schema), name=Constant(table.name), key=key_text(table)
    )


def withhold(connection: Connection, table: Table, key: Key, row: Row, column: str) -> None:
    """Remember why a row is not here, and blank what records of it say."""
    cell = row.cells[column]
    stamps = Row(row.life, cells={column: cell}).stamps().pack()
    value = None if cell.value is None else cell.value.decode()
    connection.execute(
        "INSERT INTO kuroshio.withheld (nspname, relname, key, life, stamps, value) VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (nspname, relname, key) DO UPDATE SET life = excluded.life, stamps = excluded.stamps,"
        " value = excluded.value",
        (*table.qualified, _texts(key), row.life, stamps, value),
    )
    connection.execute(
        "UPDATE kuroshio.conflict SET winner_value = NULL, loser_value = NULL"
        " WHERE nspname = %s AND relname = %s AND key = %s",
        (*table.qualified, _texts(key)),
    )
    connection.execute(
        "UPDATE kuroshio.request SET cells = NULL, change = NULL WHERE nspname = %s AND relname = %s AND key = %s",
        (*table.qualified, _texts(key)),
    )


_BLANK = sql.SQL("""
UPDATE kuroshio.conflict c
   SET winner_value = CASE WHEN c.winner & {site_mask} = s.number THEN c.winner_value END,
       loser_value = CASE WHEN c.loser & {site_mask} = s.number THEN c.loser_value END
  FROM kuroshio.site s
 WHERE c.nspname = {schema} AND c.relname = {name} AND ({columns}::text IS NULL OR c.column_name = {columns})
   AND NOT EXISTS (SELECT FROM {shown}) AND NOT EXISTS (SELECT FROM {hidden})""")

_BLANK_REQUESTS = sql.SQL("""
UPDATE kuroshio.request c SET cells = NULL, change = NULL
 WHERE c.nspname = {schema} AND c.relname = {name}
   AND ({columns}::text IS NULL OR c.cells ? {columns} OR c.change->'cells' ? {columns})
   AND NOT EXISTS (SELECT FROM {shown}) AND NOT EXISTS (SELECT FROM {hidden})""")


def blank_records(connection: Connection, table: Table, view: TableView) -> None:
    """Take the values out of what is on record of conflicts and of what operators asked for, where a view does not show
    the row or the column, or where the row is not here, by which that is decided. What this site wrote itself stays on
    record of conflicts; a request goes blank as a whole, since the change that it keeps is another's."""
    reaches = {"": view.rows, **{name: reach for name, (reach, _) in view.cells.items()}}
    for column, reach in reaches.items():
        if reach != ALWAYS:
            known = [
                sql.SQL("{} AND {} = c.key AND NOT {}").format(place.source, place.key, _refused(place, reach))
                for place in (shown_rows(table), hidden_rows(table))
            ]
            for blank in (_BLANK, _BLANK_REQUESTS):
                connection.execute(
                    blank.format(
                        site_mask=Constant(SITE_MASK),
                        schema=Constant(table.schema),
                        name=Constant(table.name),
                        columns=Constant(column or None),
                        shown=known[0],
                        hidden=known[1],
                    ),
                    (),
                )


def release(connection: Connection, table: Table, key: Key) -> None:
    """The row is shared with this site again."""
    connection.execute(
        "DELETE FROM kuroshio.withheld WHERE nspname = %s AND relname = %s AND key = %s",
        (*table.qualified, _texts(key)),
    )


def note_move(
    connection: Connection, table: Table, key: Key, row: Row, rules: RowRules, before: Sequence[Values]
) -> None:
    """Have capture pass on who may see a row now: the row as it stands, and what its deciding columns held before."""
    held = [{name: None if value is None else value.decode() for name, value in one.items()} for one in before]
    _note(connection, table, key, row, rules, held)


def note_owed(
    connection: Connection, table: Table, key: Key, row: Row, rules: RowRules, widening: Widening
) -> list[str]:
    """Have capture send a row to the sites to which a change of the rules lets it go; return these."""
    sites = widening.owed({name: cell.value for name, cell in row.cells.items()})
    if sites and (row.known or row.deleted):
        _note(connection, table, key, row, rules, sites)
    return sites


def note_again(connection: Connection, table: Table, key: Key, row: Row, rules: RowRules, sites: Sequence[str]) -> None:
    """Have capture send a row as it stands here to those of these sites that may have it: for a repair."""
    if row.known or row.deleted:
        _note(connection, table, key, row, rules, list(sites))


def _note(connection: Connection, table: Table, key: Key, row: Row, rules: RowRules, before: Sequence[object]) -> None:
    cells = {name: None if cell.value is None else cell.value.decode() for name, cell in row.cells.items()}
    common = (*table.qualified, _texts(key), row.life)
    connection.execute(
        "INSERT INTO kuroshio.moved (nspname, relname, key, life, stamps, cells, parts, before)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (*common, row.stamps().pack(), Jsonb(cells), folded(row, rules), Jsonb(before)),
    )
    if row.deleted:
        connection.execute(
            "INSERT INTO kuroshio.moved (nspname, relname, key, life, deleted, saw, referential, cells, before)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (*common, row.deleted, row.saw.pack(), row.cascaded, Jsonb(cells), Jsonb(before)),
        )


def beyond(connection: Connection, table: Table, view: TableView, most: int | None = None) -> dict[str, list[Key]]:
    """The rows that this site has and may not see (under ""), and those where a column shows what should be masked, by
    column; hidden rows too, and the last images of deleted ones. What the site wrote itself it may show, in a column
    and in a table that is shared with others alone."""
    found: dict[str, list[Key]] = {}
    for place in (shown_rows(table), hidden_rows(table), _buried_rows(table, view)):
        for name, condition in _beyond(place, table, view).items():
            if keys := _keys(connection, place, condition, most):
                found.setdefault(name, []).extend(keys)
    return found


@dataclass(frozen=True, slots=True)
class Place:
    """Where rows stand."""

    source: sql.Composable
    key: sql.Composable
    """As text, an array."""
    stamps: sql.Composable
    value: Callable[[str], sql.Composable]
    """The text of a column, by its first name."""


def shown_rows(table: Table) -> Place:
    """The rows of a table."""
    key = sql.SQL(", ").join(sql.SQL("{}::text").format(table.here(name)) for name in table.key)
    return Place(
        sql.SQL("{} WHERE true").format(table.quoted),
        sql.SQL("ARRAY[{}]").format(key),
        sql.SQL("kuroshio"),
        lambda name: sql.SQL("{}::text").format(table.here(name)),
    )


def hidden_rows(table: Table) -> Place:
    """The rows of a table that exist and are not shown (replication/core/claims.py)."""
    condition = sql.SQL("kuroshio.tombstone WHERE nspname = {} AND relname = {} AND hidden <> ''")
    return _images(condition.format(Constant(table.schema), Constant(table.name)))


def _buried_rows(table: Table, view: TableView) -> Place:
    """The deleted rows of a table of which more is kept than what says that they are not to be there."""
    condition = sql.SQL(
        "kuroshio.tombstone WHERE nspname = {} AND relname = {} AND hidden = '' AND stamps IS NOT NULL"
        " AND cells - {}::text[] <> '{{}}'"
    )
    deciding = [view.rows.column] if view.rows.column else []
    return _images(condition.format(Constant(table.schema), Constant(table.name), Constant(deciding)))


def _images(condition: sql.Composable) -> Place:
    return Place(
        condition,
        sql.SQL("key"),
        sql.SQL("stamps"),
        lambda name: sql.SQL("(cells->>{})").format(Constant(name)),
    )


def _beyond(place: Place, table: Table, view: TableView) -> dict[str, sql.Composable]:
    """The conditions of the rows that are not to be there, and of the columns."""
    refused = _refused(place, view.rows)
    if view.rows == NEVER:
        refused = sql.SQL("NOT {}").format(_own(sql.SQL("{}[1]").format(place.stamps)))
    conditions: dict[str, sql.Composable] = {"": refused}
    for name, (reach, _) in view.cells.items():
        if name in table.types:
            moment = sql.SQL("coalesce(nullif(kuroshio.get({0}, {1}), 0), {0}[1])").format(
                place.stamps, Constant(cell_key(name))
            )
            conditions[name] = sql.SQL("NOT {} AND {} AND kuroshio.get({}, {}) = 0 AND NOT {}").format(
                refused, _refused(place, reach), place.stamps, Constant(mask_key(name)), _own(moment)
            )
    return conditions


_OWN = sql.SQL("({moment} > {bottom} AND {moment} & {site_mask} = (SELECT number FROM kuroshio.site))")


def _own(moment: sql.Composable) -> sql.Composed:
    """Did this site write at that moment? What was there before replication, nobody did."""
    return _OWN.format(moment=moment, bottom=Constant(BOTTOM), site_mask=Constant(SITE_MASK))


def _refused(place: Place, reach: Reach) -> sql.Composable:
    """The condition of the rows that it does not reach."""
    if reach.column is None:
        return sql.SQL("{}").format(Constant(not reach.always))
    values = Constant(sorted(value.decode() for value in reach.refused))
    return sql.SQL("coalesce({} = ANY ({}::text[]), false)").format(place.value(reach.column), values)


def _keys(connection: Connection, place: Place, condition: sql.Composable, most: int | None) -> list[Key]:
    query = sql.SQL("SELECT {} FROM {} AND {} ORDER BY 1 LIMIT %s").format(place.key, place.source, condition)
    rows: list[Any] = connection.execute(query, (most,)).fetchall()
    return [tuple(part.encode() for part in key) for (key,) in rows]


def leaving(connection: Connection) -> Mapping[tuple[str, str], list[Key]]:
    """Rows that were written here and may not stay; taken off the list."""
    rows: list[Any] = connection.execute("DELETE FROM kuroshio.leaving RETURNING nspname, relname, key").fetchall()
    found: dict[tuple[str, str], dict[Key, None]] = {}
    for schema, name, key in rows:
        found.setdefault((schema, name), {})[tuple(part.encode() for part in key)] = None
    return {table: list(keys) for table, keys in found.items()}


def _texts(key: Key) -> list[str]:
    return [part.decode() for part in key]

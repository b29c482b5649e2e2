"""Rows one at a time, for the merge: lock and read their state, write back what was decided.

A row's state is its live row, or its tombstone, or both: a tombstone stays beside a row that outlived it, because later
deletes must join what it saw. A live row beside a tombstone is always newer than it (pitfall P3).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from replication.core.merge import Row, RowRules
from replication.core.rules import Cell, parts_from_json
from replication.core.stamps import Stamps, cell_id
from replication.postgres.catalog import PARTS, STAMPS, Constant, Quoted, Table, type_name
from replication.postgres.connect import Connection
from replication.postgres.parameters import TextArray
from replication.postgres.rows import key_matches, key_text, source

Key = tuple[bytes, ...]
AllParts = Mapping[str, Mapping[str, list[Any]]]
"""Column -> its folded parts, as JSON holds them."""


@dataclass(frozen=True, slots=True)
class Local:
    """What this site holds of a row."""

    row: Row
    shown: Row | None
    """What is in the table: of an earlier life than ``row`` where an insert had looked for the tombstone too early."""
    entombed: bool

    @property
    def visible(self) -> bool:
        return self.shown is not None


NOTHING = Local(Row(), None, entombed=False)


def read(connection: Connection, table: Table, keys: Sequence[Key], rules: RowRules) -> dict[Key, Local]:
    """Lock rows and tombstones in key order and read them. Keys of which nothing is known are absent."""
    columns = [TextArray(list(column)) for column in zip(*keys, strict=True)]
    live = {
        keys[int(str(ordinal)) - 1]: _shown(table, rules, *rest)  # type: ignore[arg-type]
        for ordinal, *rest in connection.execute(_read_live(table), columns).fetchall()
    }
    graves = {
        keys[int(str(ordinal)) - 1]: _buried(rules, *rest)  # type: ignore[arg-type]
        for ordinal, *rest in connection.execute(_read_graves(table), columns).fetchall()
    }
    return {key: _local(live.get(key), graves.get(key)) for key in live.keys() | graves.keys()}


def _read_live(table: Table) -> sql.Composed:
    order = sql.SQL(", ").join(Quoted("t", name) for name in table.key)
    values = sql.SQL("").join(sql.SQL(", {}::text").format(table.here(name, "t")) for name in table.values)
    parts = Quoted("t", PARTS) if table.has_parts else sql.NULL
    return sql.SQL("SELECT s.ordinal, t.kuroshio, {}{} FROM {} JOIN {} t ON {} ORDER BY {} FOR UPDATE OF t").format(
        parts, values, source(table.key), table.quoted, key_matches(table), order
    )


def _read_graves(table: Table) -> sql.Composed:
    return sql.SQL(
        "SELECT s.ordinal, g.life, g.deleted, g.saw, g.stamps, g.cells, g.parts FROM {} JOIN kuroshio.tombstone g"
        " ON g.nspname = {} AND g.relname = {} AND g.key = {} ORDER BY g.key FOR UPDATE OF g"
    ).format(source(table.key), Constant(table.schema), Constant(table.name), key_text(table))


def _local(shown: Row | None, buried: Row | None) -> Local:
    entombed = buried is not None
    if shown is None or buried is None or buried.life < shown.life:
        return Local(shown or buried or Row(), shown, entombed)
    if buried.life > shown.life:
        return Local(buried, shown, entombed)
    return Local(replace(shown, deleted=buried.deleted, saw=buried.saw), shown, entombed)


def _shown(table: Table, rules: RowRules, packed: Sequence[int], parts: AllParts | None, *values: object) -> Row:
    stamps = Stamps.unpack(packed)
    found = dict(zip(table.values, map(_encode, values), strict=True))
    return Row(stamps.life, stamps.base, cells=_cells(rules, stamps, found, parts or {}))


def _buried(
    rules: RowRules,
    life: int,
    deleted: int,
    saw: Sequence[int],
    packed: Sequence[int] | None,
    cells: Mapping[str, object],
    parts: AllParts | None,
) -> Row:
    stamps = Stamps.unpack(packed) if packed else Stamps(0)
    found = {name: _encode(value) for name, value in cells.items()}
    return Row(life, stamps.base, deleted, Stamps.unpack(saw), _cells(rules, stamps, found, parts or {}))


def _cells(rules: RowRules, stamps: Stamps, values: Mapping[str, bytes | None], parts: AllParts) -> dict[str, Cell]:
    return {
        name: Cell(
            stamp,
            value,
            rules.unfold(name, parts_from_json(parts.get(name, {})), value, stamps.base, stamp.generation),
        )
        for name, value in values.items()
        for stamp in [stamps.of(cell_id(name))]
    }


def _folded(row: Row, rules: RowRules) -> Jsonb | None:
    """What stands in the column ``kuroshio_parts``."""
    folded = {name: rules.fold(name, cell, row.base) for name, cell in row.cells.items() if cell.parts}
    return Jsonb({name: parts for name, parts in folded.items() if parts}) if any(folded.values()) else None


def _encode(value: object) -> bytes | None:
    return None if value is None else str(value).encode()


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def insert(connection: Connection, table: Table, key: Key, row: Row, seen: int, rules: RowRules) -> None:
    """Write a row that is not in the table."""
    names = [*table.key, *(name for name in table.values if name in row.cells)]
    values: list[object] = [*map(_text, key), *(_text(row.cells[name].value) for name in names[len(key) :])]
    own = _own_columns(table, row, seen, rules)
    query = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
        table.quoted,
        sql.SQL(", ").join(map(table.here, [*names, *own])),
        sql.SQL(", ").join(
            [*(sql.SQL("%s::text::{}").format(type_name(table.types[name])) for name in names), *map(_own_type, own)]
        ),
    )
    connection.execute(query, [*values, *own.values()])


def update(
    connection: Connection, table: Table, key: Key, row: Row, changed: Sequence[str], seen: int, rules: RowRules
) -> None:
    """Write the changed cells and the stamps of a row that is locked."""
    own = _own_columns(table, row, seen, rules)
    sets = [sql.SQL("{} = %s::text::{}").format(table.here(name), type_name(table.types[name])) for name in changed]
    sets += [sql.SQL("{} = {}").format(Quoted(name), _own_type(name)) for name in own]
    query = sql.SQL("UPDATE {} t SET {} WHERE {}").format(table.quoted, sql.SQL(", ").join(sets), _one(table))
    values = [_text(row.cells[name].value) for name in changed]
    connection.execute(query, [*values, *own.values(), *map(_text, key)], prepare=True)


def _own_columns(table: Table, row: Row, seen: int, rules: RowRules) -> dict[str, object]:
    """Replication's own columns of a row."""
    stamps = {STAMPS: row.stamps(seen).pack()}
    return {**stamps, PARTS: _folded(row, rules)} if table.has_parts else {**stamps}


def _own_type(name: str) -> sql.SQL:
    return sql.SQL("%s::bigint[]") if name == STAMPS else sql.SQL("%s::jsonb")


def delete(connection: Connection, table: Table, key: Key) -> None:
    """Remove a row that is locked."""
    connection.execute(sql.SQL("DELETE FROM {} t WHERE {}").format(table.quoted, _one(table)), [*map(_text, key)])


def _one(table: Table) -> sql.Composed:
    return sql.SQL(" AND ").join(
        sql.SQL("t.{} = %s::text::{}").format(Quoted(name), type_name(table.types[name])) for name in table.key
    )


def entomb(
    connection: Connection,
    table: Table,
    key: Key,
    row: Row,
    rules: RowRules,
    *,
    image: bool,
    passed: Mapping[str, str],
) -> None:
    """Keep a delete: with the row's last image where it is not visible."""
    cells = {name: _text(cell.value) for name, cell in row.cells.items()} if image else {}
    connection.execute(
        "INSERT INTO kuroshio.tombstone (nspname, relname, key, life, deleted, saw, stamps, cells, parts, passed)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (nspname, relname, key) DO UPDATE SET life"
        " = excluded.life,"
        " deleted = excluded.deleted, saw = excluded.saw, stamps = excluded.stamps, cells = excluded.cells,"
        " parts = excluded.parts,"
        " passed = kuroshio.join_needs(tombstone.passed, excluded.passed),"
        " xid = excluded.xid, settled = false, stable = false",
        (
            *table.qualified,
            list(map(_text, key)),
            row.life,
            row.deleted,
            row.saw.pack(),
            row.stamps(0).pack() if image else None,
            Jsonb(cells),
            _folded(row, rules) if image else None,
            Jsonb(dict(passed)),
        ),
    )


def disinter(connection: Connection, table: Table, key: Key) -> None:
    """Drop a tombstone that a later life has superseded."""
    connection.execute(
        "DELETE FROM kuroshio.tombstone WHERE nspname = %s AND relname = %s AND key = %s",
        (*table.qualified, list(map(_text, key))),
    )


def lock_against_inserts(connection: Connection, table: Table) -> None:
    """Nobody inserts into the table until this transaction ends: for the tombstone of a key that is not there (P3)."""
    connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(table.identifier))


def has_children(connection: Connection, table: Table, key: Key) -> bool:
    """Does any row refer to this one? To be asked in a statement of its own, after the row was locked (P2)."""
    for reference in table.children:
        if set(reference.parent_columns) - set(table.key):
            continue
        values = [_text(key[table.key.index(name)]) for name in reference.parent_columns]
        matches = sql.SQL(" AND ").join(
            sql.SQL("c.{} = %s::text::{}").format(Quoted(child), type_name(table.types[parent]))
            for child, parent in zip(reference.columns, reference.parent_columns, strict=True)
        )
        query = sql.SQL("SELECT FROM {} c WHERE {} LIMIT 1").format(Quoted(*reference.parent), matches)
        if connection.execute(query, values).fetchone() is not None:
            return True
    return False

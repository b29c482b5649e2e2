"""Rows one at a time, for the merge: lock and read their state, write back what was decided.

A row's state is its live row, or its tombstone, or both: a tombstone stays beside a row that outlived it, because later
deletes must join what it saw. A live row beside a tombstone is always newer than it (pitfall P3). A hidden row stands
among the tombstones, with its image; what is read of a row is what it holds, whatever it shows (core/claims.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from replication.core.claims import PLAIN, Appearance, Hidden
from replication.core.merge import Row, RowRules
from replication.core.rules import Cell, parts_from_json
from replication.core.stamps import Stamps, cell_id
from replication.postgres.catalog import CLAIMS, PARTS, STAMPS, Constant, ForeignKey, Quoted, Table, type_name
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
    appearance: Appearance = PLAIN

    @property
    def visible(self) -> bool:
        return self.shown is not None

    @property
    def exists(self) -> bool:
        """Is the row there, be it hidden?"""
        return self.visible or bool(self.appearance.hidden)


NO_NEEDS: Mapping[str, str] = {}
NOTHING = Local(Row(), None, entombed=False)


def read(
    connection: Connection, table: Table, keys: Sequence[Key], rules: RowRules, *, lock: bool = True
) -> dict[Key, Local]:
    """Lock rows and tombstones in key order and read them. Keys of which nothing is known are absent."""
    if not keys:
        return {}
    columns = [TextArray(list(column)) for column in zip(*keys, strict=True)]
    live = {
        keys[int(str(ordinal)) - 1]: _shown(table, rules, *rest)  # type: ignore[arg-type]
        for ordinal, *rest in connection.execute(_read_live(table, lock=lock), columns).fetchall()
    }
    graves = {
        keys[int(str(ordinal)) - 1]: _buried(rules, *rest)  # type: ignore[arg-type]
        for ordinal, *rest in connection.execute(_read_graves(table, lock=lock), columns).fetchall()
    }
    return {
        key: _local(*live.get(key, (None, PLAIN)), *graves.get(key, (None, PLAIN)))
        for key in live.keys() | graves.keys()
    }


def _read_live(table: Table, *, lock: bool) -> sql.Composed:
    order = sql.SQL(", ").join(Quoted("t", name) for name in table.key)
    values = sql.SQL("").join(sql.SQL(", {}::text").format(table.here(name, "t")) for name in table.values)
    own = [Quoted("t", name) if name in table.own_columns else sql.NULL for name in (PARTS, CLAIMS)]
    return sql.SQL("SELECT s.ordinal, t.kuroshio, {}, {}{} FROM {} JOIN {} t ON {} ORDER BY {}{}").format(
        *own,
        values,
        source(table.key),
        table.quoted,
        key_matches(table),
        order,
        sql.SQL(" FOR UPDATE OF t" if lock else ""),
    )


def _read_graves(table: Table, *, lock: bool) -> sql.Composed:
    return sql.SQL(
        "SELECT s.ordinal, g.hidden, g.life, g.deleted, g.saw, g.stamps, g.cells, g.parts, g.referential FROM {}"
        " JOIN kuroshio.tombstone g ON g.nspname = {} AND g.relname = {} AND g.key = {} ORDER BY g.key{}"
    ).format(
        source(table.key),
        Constant(table.schema),
        Constant(table.name),
        key_text(table),
        sql.SQL(" FOR UPDATE OF g" if lock else ""),
    )


def _local(shown: Row | None, shows: Appearance, buried: Row | None, grave: Appearance) -> Local:
    entombed = buried is not None
    if shown is None:
        return Local(buried or Row(), None, entombed, grave)
    if buried is None or buried.life < shown.life:
        return Local(shown, shown, entombed, shows)
    if buried.life > shown.life:
        return Local(buried, shown, entombed, shows)
    both = replace(shown, heard=0, deleted=buried.deleted, saw=buried.saw, cascaded=buried.cascaded)
    return Local(both.hearing(shown.heard), shown, entombed, shows)


def _shown(
    table: Table,
    rules: RowRules,
    packed: Sequence[int],
    parts: AllParts | None,
    claims: Mapping[str, object] | None,
    *values: object,
) -> tuple[Row, Appearance]:
    stamps = Stamps.unpack(packed)
    found = dict(zip(table.values, map(_encode, values), strict=True))
    instead = {name: found[name] for name in claims or {} if name in found}
    found |= {name: _encode(value) for name, value in (claims or {}).items() if name in found}
    row = Row(stamps.life, stamps.base, cells=_cells(rules, stamps, found, parts or {}))
    return row.hearing(stamps.seen), Appearance(instead=instead)


def _buried(
    rules: RowRules,
    hidden: str,
    life: int,
    deleted: int,
    saw: Sequence[int],
    packed: Sequence[int] | None,
    cells: Mapping[str, object],
    parts: AllParts | None,
    referential: object,
) -> tuple[Row, Appearance]:
    stamps = Stamps.unpack(packed) if packed else Stamps(0)
    found = {name: _encode(value) for name, value in cells.items()}
    found_cells = _cells(rules, stamps, found, parts or {})
    row = Row(life, stamps.base, deleted, Stamps.unpack(saw), found_cells, cascaded=referential is True)
    return row.hearing(stamps.seen), Appearance(Hidden(hidden))


def _cells(rules: RowRules, stamps: Stamps, values: Mapping[str, bytes | None], parts: AllParts) -> dict[str, Cell]:
    return {
        name: Cell(
            stamp,
            value,
            rules.unfold(name, parts_from_json(parts.get(name, {})), value, stamps.base, stamp.generation),
            cell_id(name) in stamps.masked,
        )
        for name, value in values.items()
        for stamp in [stamps.of(cell_id(name))]
    }


def folded(row: Row, rules: RowRules) -> Jsonb | None:
    """What stands in the column ``kuroshio_parts``."""
    folded = {name: rules.fold(name, cell, row.base) for name, cell in row.cells.items() if cell.parts}
    return Jsonb({name: parts for name, parts in folded.items() if parts}) if any(folded.values()) else None


def _encode(value: object) -> bytes | None:
    return None if value is None else str(value).encode()


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def show(
    connection: Connection,
    table: Table,
    key: Key,
    local: Local,
    row: Row,
    appearance: Appearance,
    rules: RowRules,
    passed: Mapping[str, str] = NO_NEEDS,
) -> None:
    """Make the table show a row that exists; it is locked, or not there."""
    if appearance.hidden:
        if local.visible:
            delete(connection, table, key)
        entomb(connection, table, key, row, rules, image=True, passed=passed, hidden=appearance.hidden)
        return
    if local.shown is None:
        _insert(connection, table, key, row, appearance, rules)
    else:
        before, after = _values(local.shown, local.appearance), _values(row, appearance)
        changed = [
            name for name in table.values if name in after and (name not in before or after[name] != before[name])
        ]
        _update(connection, table, key, row, changed, appearance, rules)
    if row.deleted:
        entomb(connection, table, key, row, rules, image=False, passed=passed)
    elif local.entombed:
        disinter(connection, table, key)


def _values(row: Row, appearance: Appearance) -> dict[str, bytes | None]:
    return {name: cell.value for name, cell in row.cells.items()} | dict(appearance.instead)


def _insert(connection: Connection, table: Table, key: Key, row: Row, appearance: Appearance, rules: RowRules) -> None:
    names = [*table.key, *(name for name in table.values if name in row.cells)]
    shown = _values(row, appearance)
    values: list[object] = [*map(_text, key), *(_text(shown[name]) for name in names[len(key) :])]
    own = _own_columns(table, row, appearance, rules)
    query = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
        table.quoted,
        sql.SQL(", ").join(map(table.here, [*names, *own])),
        sql.SQL(", ").join(
            [*(sql.SQL("%s::text::{}").format(type_name(table.types[name])) for name in names), *map(_own_type, own)]
        ),
    )
    connection.execute(query, [*values, *own.values()])


def _update(
    connection: Connection,
    table: Table,
    key: Key,
    row: Row,
    changed: Sequence[str],
    appearance: Appearance,
    rules: RowRules,
) -> None:
    own = _own_columns(table, row, appearance, rules)
    sets = [sql.SQL("{} = %s::text::{}").format(table.here(name), type_name(table.types[name])) for name in changed]
    sets += [sql.SQL("{} = {}").format(Quoted(name), _own_type(name)) for name in own]
    query = sql.SQL("UPDATE {} t SET {} WHERE {}").format(table.quoted, sql.SQL(", ").join(sets), one_row(table))
    shown = _values(row, appearance)
    values = [_text(shown[name]) for name in changed]
    connection.execute(query, [*values, *own.values(), *map(_text, key)], prepare=True)


def _own_columns(table: Table, row: Row, appearance: Appearance, rules: RowRules) -> dict[str, object]:
    """Replication's own columns of a row."""
    claims = {name: _text(row.cells[name].value) for name in appearance.instead if name in row.cells}
    own = {
        STAMPS: row.stamps().pack(),
        PARTS: folded(row, rules),
        CLAIMS: Jsonb(claims) if claims else None,
    }
    return {name: value for name, value in own.items() if name in table.own_columns}


def _own_type(name: str) -> sql.SQL:
    return sql.SQL("%s::bigint[]") if name == STAMPS else sql.SQL("%s::jsonb")


def delete(connection: Connection, table: Table, key: Key) -> None:
    """Remove a row that is locked."""
    connection.execute(sql.SQL("DELETE FROM {} t WHERE {}").format(table.quoted, one_row(table)), [*map(_text, key)])


def one_row(table: Table) -> sql.Composed:
    """The condition of one row, ``t``, whose key's texts are parameters."""
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
    passed: Mapping[str, str] = NO_NEEDS,
    hidden: Hidden = Hidden.NO,
) -> None:
    """Keep a delete, or a hidden row: with the row's last image where it is not in the table."""
    cells = {name: _text(cell.value) for name, cell in row.cells.items()} if image else {}
    connection.execute(
        "INSERT INTO kuroshio.tombstone (nspname, relname, key, life, deleted, saw, stamps, cells, parts, passed,"
        " hidden, referential) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (nspname, relname, key) DO UPDATE SET life = excluded.life, hidden = excluded.hidden,"
        " deleted = excluded.deleted, saw = excluded.saw, referential = excluded.referential,"
        " stamps = excluded.stamps, cells = excluded.cells, parts = excluded.parts,"
        " passed = kuroshio.join_needs(tombstone.passed, excluded.passed),"
        " xid = excluded.xid, settled = false, stable = false, known_since = excluded.known_since",
        (
            *table.qualified,
            list(map(_text, key)),
            row.life,
            row.deleted,
            row.saw.pack(),
            row.stamps().pack() if image else None,
            Jsonb(cells),
            folded(row, rules) if image else None,
            Jsonb(dict(passed)),
            str(hidden),
            row.cascaded,
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


def has_living_child(connection: Connection, child: Table, reference: ForeignKey, parent: Table, key: Key) -> bool:
    """Does a visible row that nobody deleted refer to this one by ``reference``, one of the parent's ``children``?

    To be asked in a statement of its own, after the row was locked (pitfall P2).
    """
    return _children(connection, child, reference, parent, key, deleted=False) != []


def held_children(connection: Connection, child: Table, reference: ForeignKey, parent: Table, key: Key) -> list[Key]:
    """The visible rows that refer to this one and that somebody deleted: they outlived it, or are held themselves."""
    return _children(connection, child, reference, parent, key, deleted=True)


def _children(
    connection: Connection, child: Table, reference: ForeignKey, parent: Table, key: Key, *, deleted: bool
) -> list[Key]:
    if set(reference.parent_columns) - set(parent.key):
        return []
    values = [_text(key[parent.key.index(name)]) for name in reference.parent_columns]
    refers = sql.SQL(" AND ").join(
        sql.SQL("c.{} = %s::text::{}").format(Quoted(name), type_name(parent.types[other]))
        for name, other in zip(reference.columns, reference.parent_columns, strict=True)
    )
    own = sql.SQL(", ").join(sql.SQL("c.{}::text").format(Quoted(name)) for name in child.key)
    query = sql.SQL(
        "SELECT {own} FROM {table} c WHERE {refers} AND {deleted} EXISTS (SELECT FROM kuroshio.tombstone g"
        " WHERE g.nspname = {schema} AND g.relname = {name} AND g.key = ARRAY[{own}]) {limit}"
    ).format(
        own=own,
        table=child.quoted,
        refers=refers,
        deleted=sql.SQL("" if deleted else "NOT"),
        schema=Constant(child.schema),
        name=Constant(child.name),
        limit=sql.SQL("" if deleted else "LIMIT 1"),
    )
    rows = connection.execute(query, values).fetchall()
    return [tuple(str(part).encode() for part in row) for row in rows]

"""The common case, set-wise: one statement for each table, operation and column set.

The common case is that the remote author saw what is replaced here. So the local row's newest stamp equals the ``seen``
stamp of the change, and each cell that it writes is that newest one, the author's own, or as inserted: an older cell of
somebody else may be one that the author had not. Then every incoming cell is newer than the cell it replaces, and
nothing conflicts. The guards stand on the target row itself, so READ COMMITTED checks them again after a lock wait
(pitfall P17). What a statement did not write is found by looking at the stamps afterwards, and goes to the merge.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from psycopg import sql

from replication.core.stamps import KIND_NAMES, LIFE, SITE_MASK, cell_key, mask_key
from replication.postgres.catalog import CLAIMS, STAMPS, Constant, ForeignKey, Quoted, Table, type_name
from replication.postgres.connect import Connection
from replication.postgres.parameters import BigintArray, TextArray
from replication.wire.columns import Values

_NEWEST = sql.SQL(
    "(CASE cardinality(t.kuroshio) WHEN 2 THEN greatest(t.kuroshio[1], t.kuroshio[2])"
    " ELSE kuroshio.newest(t.kuroshio) END)"
)


@dataclass(frozen=True, slots=True)
class Statements:
    """The statements for one table and column set, composed once."""

    write: sql.Composed
    find_missed: sql.Composed


@dataclass(frozen=True, slots=True)
class Rows:
    """What one statement takes, in columns: the key columns first, then the cells; and for each row its stamps.

    ``numbers`` are further stamps by their name on the wire: ``life``, ``epoch:column``, ``term:column``,
    ``generation:column``, ``mask:column``; 0 is none.
    """

    columns: tuple[str, ...]
    values: Sequence[Values]
    moments: Sequence[int]
    seen: Sequence[int]
    numbers: Mapping[str, Sequence[int]]


@dataclass(slots=True)
class FastRows:
    """Composes and remembers statements; one instance a connection."""

    _known: dict[tuple[tuple[str, str], str, tuple[str, ...], tuple[str, ...]], Statements] = field(
        default_factory=dict
    )

    def insert(self, connection: Connection, table: Table, rows: Rows) -> list[int]:
        """Insert rows; return the indices of those that were not (the key is there, or was deleted)."""
        return self._run(connection, table, "I", rows)

    def update(self, connection: Connection, table: Table, rows: Rows) -> list[int]:
        """Update rows whose newest stamp is ``seen``, where the author saw what is replaced and no cell has more
        authority than the incoming one; return the indices of the others."""
        return self._run(connection, table, "U", rows)

    def _run(self, connection: Connection, table: Table, op: str, rows: Rows) -> list[int]:
        kind = table.qualified, op, rows.columns, tuple(rows.numbers)
        statements = self._known.get(kind)
        if statements is None:
            compose = _insert if op == "I" else _update
            statements = self._known[kind] = compose(table, rows.columns, kind[3])
        values, moments = [TextArray(column) for column in rows.values], BigintArray(rows.moments)
        numbers = [BigintArray(column) for column in rows.numbers.values()]
        written = connection.execute(
            statements.write, [*values, moments, BigintArray(rows.seen), *numbers], prepare=True
        )
        if written.rowcount == len(rows.moments):
            return []
        missed = connection.execute(statements.find_missed, [*values[: len(table.key)], moments])
        return [int(str(ordinal)) - 1 for (ordinal,) in missed.fetchall()]

    def forget(self) -> None:
        """The tables may have changed."""
        self._known.clear()


def source(columns: Sequence[str], *integers: str) -> sql.Composed:
    """``unnest`` of one array a column, named c0, c1, …, then the integer columns and the ordinal."""
    arrays = [sql.SQL("%s::text[]")] * len(columns) + [sql.SQL("%s::bigint[]")] * len(integers)
    names = [Quoted(f"c{place}") for place in range(len(columns))] + [Quoted(name) for name in integers]
    return sql.SQL("unnest({}) WITH ORDINALITY AS s({}, ordinal)").format(
        sql.SQL(", ").join(arrays), sql.SQL(", ").join(names)
    )


def cast(table: Table, column: str, place: int) -> sql.Composed:
    """The value of a source column as the table's type."""
    return sql.SQL("s.{}::{}").format(Quoted(f"c{place}"), type_name(table.types[column]))


def key_matches(table: Table) -> sql.Composed:
    """``t``'s key equals the first source columns."""
    return sql.SQL(" AND ").join(
        sql.SQL("t.{} = {}").format(Quoted(name), cast(table, name, place)) for place, name in enumerate(table.key)
    )


def key_text(table: Table) -> sql.Composed:
    """The key as tombstones have it."""
    return sql.SQL("ARRAY[{}]").format(sql.SQL(", ").join(Quoted("s", f"c{place}") for place in range(len(table.key))))


def _number_key(name: str) -> int:
    """Where a row's stamps keep the number of this name."""
    kind, _, column = name.partition(":")
    if kind == "mask":
        return mask_key(column)
    return LIFE if kind == "life" else cell_key(column, KIND_NAMES.index(kind))


def _with_numbers(stamps: sql.Composable, numbers: Sequence[str]) -> sql.Composable:
    for place, name in enumerate(numbers):
        stamps = sql.SQL("kuroshio.put_number({}, {}, s.{})").format(
            stamps, Constant(_number_key(name)), Quoted(f"n{place}")
        )
    return stamps


def _source(columns: tuple[str, ...], numbers: Sequence[str]) -> sql.Composed:
    return source(columns, "moment", "seen", *(f"n{place}" for place in range(len(numbers))))


def _insert(table: Table, columns: tuple[str, ...], numbers: tuple[str, ...]) -> Statements:
    write = sql.SQL(
        "INSERT INTO {table} ({names}, {stamps}) OVERRIDING SYSTEM VALUE"
        " SELECT {casts}, {stamp} FROM {source}"
        " WHERE NOT EXISTS (SELECT FROM kuroshio.tombstone g"
        " WHERE g.nspname = {schema} AND g.relname = {name} AND g.key = {key}) ON CONFLICT ({conflict}) DO NOTHING"
    ).format(
        table=table.quoted,
        names=sql.SQL(", ").join(map(table.here, columns)),
        stamps=Quoted(STAMPS),
        casts=sql.SQL(", ").join(cast(table, column, place) for place, column in enumerate(columns)),
        stamp=_with_numbers(sql.SQL("ARRAY[s.moment, s.seen]"), numbers),
        source=_source(columns, numbers),
        schema=Constant(table.schema),
        name=Constant(table.name),
        key=key_text(table),
        conflict=sql.SQL(", ").join(map(Quoted, table.key)),
    )
    return Statements(write, _find_missed(table, sql.SQL("t.kuroshio[1] <> s.moment")))


def _update(table: Table, columns: tuple[str, ...], numbers: tuple[str, ...]) -> Statements:
    names = columns[len(table.key) :]
    keys = sorted(cell_key(name) for name in names)
    stamps = sql.SQL(
        "CASE cardinality(t.kuroshio) WHEN 2 THEN ARRAY[t.kuroshio[1], s.seen, {pairs}]"
        " ELSE kuroshio.restamp(t.kuroshio, {keys}::bigint[], s.moment, s.seen) END"
    ).format(
        pairs=sql.SQL(", ").join(sql.SQL("{}, s.moment").format(Constant(key)) for key in keys),
        keys=Constant("{" + ",".join(map(str, keys)) + "}"),
    )
    write = sql.SQL("UPDATE {table} t SET {sets}, kuroshio = {stamps}{claims} FROM {source} WHERE {guards}").format(
        table=table.quoted,
        claims=_without_claims(names) if CLAIMS in table.own_columns else sql.SQL(""),
        sets=sql.SQL(", ").join(
            sql.SQL("{} = {}").format(table.here(name), cast(table, name, place + len(table.key)))
            for place, name in enumerate(names)
        ),
        stamps=_with_numbers(stamps, numbers),
        source=_source(columns, numbers),
        guards=sql.SQL(" AND ").join(
            [key_matches(table), sql.SQL("{} = s.seen").format(_NEWEST), _replaced_is_seen(keys), *_guards(numbers)]
        ),
    )
    missed = sql.SQL("kuroshio.get(t.kuroshio, {}) <> s.moment").format(Constant(keys[0]))
    return Statements(write, _find_missed(table, missed))


def _without_claims(names: Sequence[str]) -> sql.Composed:
    """What is written is claimed no more (replication/core/claims.py)."""
    return sql.SQL(", {claims} = nullif(t.{claims} - ARRAY[{names}], '{{}}')").format(
        claims=Quoted(CLAIMS), names=sql.SQL(", ").join(Constant(name) for name in names)
    )


def _replaced_is_seen(keys: Sequence[int]) -> sql.Composed:
    """Each cell that is replaced is as inserted, the author's own, or the newest of the row, which the author saw."""
    seen = sql.SQL(" AND ").join(
        sql.SQL("(g{place} IN (0, s.seen) OR g{place} & {site} = s.moment & {site})").format(
            place=sql.SQL(str(place)), site=Constant(SITE_MASK)
        )
        for place in range(len(keys))
    )
    cells = sql.SQL(", ").join(
        sql.SQL("kuroshio.get(t.kuroshio, {}) AS g{}").format(Constant(key), sql.SQL(str(place)))
        for place, key in enumerate(keys)
    )
    return sql.SQL("(cardinality(t.kuroshio) = 2 OR (SELECT {} FROM (SELECT {}) AS replaced))").format(seen, cells)


def _guards(numbers: tuple[str, ...]) -> Iterator[sql.Composed]:
    """The incoming moment is newer than every local one; so no local cell wins that has the same term and no greater
    epoch. A new term, or generation, is the merge's business."""
    for place, name in enumerate(numbers):
        compare = sql.SQL("<=") if name.startswith("epoch:") else sql.SQL("=")
        yield sql.SQL("kuroshio.get(t.kuroshio, {}) {} s.{}").format(
            Constant(_number_key(name)), compare, Quoted(f"n{place}")
        )


def _find_missed(table: Table, differs: sql.Composable) -> sql.Composed:
    return sql.SQL("SELECT s.ordinal FROM {} LEFT JOIN {} t ON {} WHERE t.kuroshio IS NULL OR {}").format(
        source(table.key, "moment"), table.quoted, key_matches(table), differs
    )


def missing_parents(
    connection: Connection,
    table: Table,
    key: ForeignKey,
    columns: Sequence[str],
    values: Sequence[Values],
    *,
    lock: bool = True,
) -> set[int]:
    """Lock the live parents FOR KEY SHARE, in key order; return the indices of rows that refer to none (pitfall P2).
    A reference with a NULL in it refers to nothing."""
    places = [columns.index(name) for name in key.columns]
    wanted: dict[tuple[bytes | None, ...], list[int]] = {}
    for index, reference in enumerate(zip(*(values[place] for place in places), strict=True)):
        if None not in reference:
            wanted.setdefault(reference, []).append(index)
    if not wanted:
        return set()
    distinct = list(wanted)
    found = connection.execute(
        _find_parents(table, key, lock=lock), [TextArray(list(column)) for column in zip(*distinct, strict=True)]
    )
    for (ordinal,) in found.fetchall():
        del wanted[distinct[int(str(ordinal)) - 1]]
    return {index for indices in wanted.values() for index in indices}


def _find_parents(table: Table, key: ForeignKey, *, lock: bool) -> sql.Composed:
    matches = sql.SQL(" AND ").join(
        sql.SQL("p.{} = {}").format(Quoted(parent), cast(table, child, place))
        for place, (child, parent) in enumerate(zip(key.columns, key.parent_columns, strict=True))
    )
    return sql.SQL("SELECT s.ordinal FROM {} JOIN {} p ON {} ORDER BY {}{}").format(
        source(key.columns),
        Quoted(*key.parent),
        matches,
        sql.SQL(", ").join(Quoted("p", parent) for parent in key.parent_columns),
        sql.SQL(" FOR KEY SHARE OF p" if lock else ""),
    )

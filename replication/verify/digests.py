"""What PostgreSQL says of a table in few bytes: digests by bucket, then by row, then by column.

1. A row's *place* is the MD5 of its key's text. Its first three hexadecimal digits are its bucket: ranges of places,
   4,096 of them, into one of which every row falls. Nothing is left unread at either end, and no range is large because
   of how the keys are spread.
2. A bucket's digest is the MD5 of its rows' digests, concatenated in the order of their places. Nothing cancels
   out: two equal differences change it, and so does a row that is there twice.
3. One scan of a table gives all its buckets; a second one, of differing buckets alone, its rows in the order of places,
   so that the sites' rows can be merged as they stream by, in bounded memory.
4. Values count as their text under the session settings of :mod:`replication.postgres.connect`, columns in the order of
   their names. Of the stamps, ``seen`` is left out: it belongs to a write and not to the row (replication.core.stamps).
"""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

from psycopg import sql

from replication.core.stamps import cell_key
from replication.postgres.catalog import CLAIMS, PARTS, STAMPS, Constant, Quoted, Table
from replication.postgres.connect import Connection

_FETCH_ROWS = 2000

_BUCKETS = """
SELECT left(place, 3), count(*), md5(string_agg(digest, '' ORDER BY place COLLATE "C"))
  FROM (SELECT {place} AS place, {digest} AS digest FROM {table} WHERE {rows}) AS rows
 GROUP BY 1"""

_ROWS = """
SELECT place, key, data, stamps
  FROM (SELECT {place} AS place, {key} AS key, {data} AS data, {stamps} AS stamps FROM {table} WHERE {rows}) AS rows
 WHERE left(place, 3) = ANY (%s)
 ORDER BY place COLLATE "C" """


class Bucket(NamedTuple):
    """How many rows, and their digest."""

    rows: int
    digest: str


class RowDigest(NamedTuple):
    """One row: where it stands, its key as text, the digests of its data and of its stamps."""

    place: str
    key: tuple[str, ...]
    data: str
    stamps: str

    @property
    def state(self) -> tuple[str, str]:
        """What must be equal at all sites."""
        return self.data, self.stamps


@dataclass(frozen=True, slots=True)
class Digests:
    """The queries for one table. ``stamped`` is false where it is not replicated yet: then data alone counts.
    ``dropped``: columns that some site has had; their stamps stay in rows that nobody has written since."""

    table: Table
    stamped: bool = True
    dropped: tuple[str, ...] = ()
    only: frozenset[str] | None = None
    """The columns that count; None: all of them."""
    where: sql.Composable | None = None
    """Which rows count; None: all of them."""

    def buckets(self, connection: Connection) -> dict[str, Bucket]:
        """The table's buckets that hold any row."""
        parts = [*self._columns, self._stamps] if self.stamped else self._columns
        digest = sql.SQL("md5(ROW({})::text)").format(sql.SQL(", ").join(parts))
        query = sql.SQL(_BUCKETS).format(place=self._place, digest=digest, table=self.table.quoted, rows=self.condition)
        return {str(name): Bucket(int(str(rows)), str(found)) for name, rows, found in connection.execute(query, ())}

    def rows(self, connection: Connection, buckets: Sequence[str]) -> Generator[RowDigest, None, None]:
        """The rows of these buckets, in the order of their places."""
        query = sql.SQL(_ROWS).format(
            place=self._place,
            key=self.key,
            data=sql.SQL("md5(ROW({})::text)").format(sql.SQL(", ").join(self._columns)),
            stamps=sql.SQL("md5(({})::text)").format(self._stamps) if self.stamped else sql.SQL("''"),
            table=self.table.quoted,
            rows=self.condition,
        )
        with connection.transaction(), closing(connection.cursor("kuroshio_rows")) as cursor:
            cursor.itersize = _FETCH_ROWS
            for place, key, data, stamps in cursor.execute(query, (list(buckets),)):
                yield RowDigest(str(place), tuple(map(str, key)), str(data), str(stamps))  # type: ignore[call-overload]

    def columns(self, connection: Connection, key: Sequence[str]) -> dict[str, str] | None:
        """The digest of each column of the row with this key; None: there is no such row."""
        counted = [name for name in self.table.values if self.only is None or name in self.only]
        names = [*counted, *([STAMPS] if self.stamped else [])]
        parts = [
            sql.SQL("md5(ROW({})::text)").format(
                self._stamps if name == STAMPS else _text(self.table.renamed.get(name, name))
            )
            for name in names
        ]
        query = sql.SQL("SELECT {} FROM {} WHERE {}").format(
            sql.SQL(", ").join(parts) if parts else sql.SQL("1"), self.table.quoted, self._with_key
        )
        row = connection.execute(query, (*key, list(key))).fetchone()
        return None if row is None else dict(zip(names, map(str, row), strict=False))

    @property
    def key(self) -> sql.Composed:
        """A row's key as text, an array."""
        return sql.SQL("ARRAY[{}]").format(sql.SQL(", ").join(map(_text, self.table.key)))

    @property
    def number(self) -> sql.Composed:
        """A row's digest as 64 bits, its key among what it is of."""
        parts = [self.key, *self._columns, *([self._stamps] if self.stamped else [])]
        return sql.SQL("('x' || left(md5(ROW({})::text), 16))::bit(64)::bigint").format(sql.SQL(", ").join(parts))

    @property
    def _place(self) -> sql.Composed:
        return sql.SQL("md5(({})::text)").format(self.key)

    @property
    def _columns(self) -> list[sql.Composable]:
        counted = [name for name in sorted(self.table.types) if self.only is None or name in self.only]
        return [_text(self.table.renamed.get(name, name)) for name in counted]

    @property
    def condition(self) -> sql.Composable:
        """Of the rows that count."""
        return self.where or sql.SQL("true")

    @property
    def _stamps(self) -> sql.Composable:
        stamps: sql.Composable = Quoted(STAMPS)
        own = {name: sql.SQL("{}").format(Quoted(name)) for name in (PARTS, CLAIMS) if name in self.table.own_columns}
        if self.dropped:
            cells = Constant("{" + ",".join(str(cell_key(name)) for name in self.table.values) + "}")
            stamps = sql.SQL("(kuroshio.stamps_of({}, {}::bigint[]))").format(stamps, cells)
            without = sql.SQL("nullif({} - {}::text[], '{{}}')")
            own = {name: without.format(column, Constant(list(self.dropped))) for name, column in own.items()}
        if self.only is not None:  # marks of what is masked belong to the site
            stamps = sql.SQL("(kuroshio.unmarked({}))").format(stamps)
        stamps = sql.SQL("{0}[1:1] || {0}[3:]").format(stamps)
        return sql.SQL("ROW({})").format(sql.SQL(", ").join([stamps, *own.values()])) if own else stamps

    @property
    def _with_key(self) -> sql.Composable:
        """By the key's own types, for the index's sake, and by its text, for what is equal and spelled otherwise."""
        parts: list[sql.Composable] = [
            sql.SQL("{} = %s::{}").format(Quoted(name), sql.SQL(self.table.types[name])) for name in self.table.key
        ]
        return sql.SQL(" AND ").join([*parts, sql.SQL("{} = %s").format(self.key)])


def bucket_of(place: str) -> str:
    """The bucket that a place lies in."""
    return place[:3]


def _text(name: str) -> sql.Composed:
    return sql.SQL("{}::text").format(Quoted(name))

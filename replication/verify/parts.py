"""A table's parts as PostgreSQL sums them: the SQL of :mod:`replication.core.ranges`, along the primary key's index."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from psycopg import sql

from replication.core.ranges import NOTHING, Ask, Key, Own, Part, Range, Reply, Sum
from replication.postgres.catalog import Quoted, type_name
from replication.postgres.connect import Connection
from replication.verify.digests import Digests

_CUT = """
SELECT max(key) FILTER (WHERE number %% %(size)s = %(size)s - 1 OR is_last), count(*), bit_xor(digest)
  FROM (SELECT {key} AS key, {digest} AS digest, row_number() OVER by_key - 1 AS number,
               lead(true) OVER by_key IS NULL AS is_last
          FROM (SELECT * FROM {table} WHERE {condition} AND {range} ORDER BY {order} LIMIT %(limit)s) AS taken
        WINDOW by_key AS (ORDER BY {order})) AS numbered
 GROUP BY number / %(size)s ORDER BY number / %(size)s"""

_SUM = "SELECT count(*), bit_xor({digest}) FROM {table} WHERE {condition} AND {range}"

_ROWS = "SELECT {key}, {digest} FROM {table} WHERE {condition} AND {range} ORDER BY {order} LIMIT %(limit)s"

_STATES = """
SELECT wanted."~place", {digest} FROM {table}
  JOIN unnest({keys}) WITH ORDINALITY AS wanted({names}, "~place") ON {matches} WHERE {condition}"""


class Parts:
    """One table in one database, as far as it is compared."""

    def __init__(self, connection: Connection, digests: Digests) -> None:
        self._connection = connection
        self._digests = digests
        self._key = digests.table.key

    @property
    def own(self) -> Own:
        """As one's own side of a comparison."""
        return Own(self.sums, self.rows)

    def cut(self, ask: Ask, most: int) -> Reply:
        """The parts of a range, from its beginning, at most so many."""
        limit = ask.rows * most
        found = self._run(_CUT, ask.range, size=ask.rows, limit=limit)
        parts = [Part(tuple(key), Sum(int(rows), int(digest))) for key, rows, digest in found]
        return Reply(parts, is_whole=sum(part.sum.rows for part in parts) < limit)

    def sums(self, ranges: Sequence[Range]) -> list[Sum]:
        """What lies in each of these ranges."""
        found = (self._run(_SUM, one)[0] for one in ranges)
        return [Sum(int(rows), int(digest)) if rows else NOTHING for rows, digest in found]

    def rows(self, one: Range, most: int) -> dict[Key, int]:
        """The first rows of a range, with their digests."""
        return {tuple(key): int(digest) for key, digest in self._run(_ROWS, one, limit=most)}

    def states(self, keys: Sequence[Key]) -> list[int | None]:
        """The digests of the rows with these keys; None where there is none."""
        table = self._digests.table
        names = [f"~k{place}" for place in range(len(self._key))]
        query = sql.SQL(_STATES).format(
            digest=self._digests.number,
            table=table.quoted,
            keys=sql.SQL(", ").join([sql.SQL("%s::text[]")] * len(names)),
            names=sql.SQL(", ").join(map(Quoted, names)),
            matches=sql.SQL(" AND ").join(
                sql.SQL("{} = {}::{}").format(Quoted(column), Quoted(name), type_name(table.types[column]))
                for column, name in zip(self._key, names, strict=True)
            ),
            condition=self._digests.condition,
        )
        columns = [list(column) for column in zip(*keys, strict=True)] if keys else [[] for _ in names]
        rows: list[Any] = self._connection.execute(query, columns).fetchall()
        found = {int(place) - 1: int(digest) for place, digest in rows}
        return [found.get(place) for place in range(len(keys))]

    def _run(self, query: str, one: Range, **numbers: int) -> list[Any]:
        order = sql.SQL(", ").join(map(Quoted, self._key))
        composed = sql.SQL(query).format(
            key=self._digests.key,
            digest=self._digests.number,
            table=self._digests.table.quoted,
            condition=self._digests.condition,
            range=sql.SQL(" AND ").join(self._bounds(one)),
            order=order,
        )
        return self._connection.execute(composed, {**numbers, **_texts(one)}).fetchall()

    def _bounds(self, one: Range) -> Iterator[sql.Composable]:
        """The condition of a range, so that the primary key's index serves it."""
        yield sql.SQL("true")
        own = sql.SQL(", ").join(map(Quoted, self._key))
        for name, key, compare in (("after", one.after, ">"), ("upto", one.upto, "<=")):
            if key is not None:
                values = sql.SQL(", ").join(
                    sql.SQL("{}::text::{}").format(
                        sql.Placeholder(f"{name}{place}"), type_name(self._digests.table.types[column])
                    )
                    for place, column in enumerate(self._key)
                )
                yield sql.SQL("({}) {} ({})").format(own, sql.SQL(compare), values)


def _texts(one: Range) -> Mapping[str, str]:
    bounds = {"after": one.after or (), "upto": one.upto or ()}
    return {f"{name}{place}": text for name, key in bounds.items() for place, text in enumerate(key)}

"""Rows with stamps, as the tests of the triggers look at them."""

from collections.abc import Sequence

from replication.core.stamps import Stamps, newest
from replication.postgres.connect import Connection
from tests.postgres.servers import Pair


def stamps_of(pair: Pair, session: Connection, condition: str, table: str = "t") -> list[int]:
    rows = pair.run(session, f"SELECT kuroshio FROM {table} WHERE {condition}")
    assert len(rows) == 1
    packed = [int(str(number)) for number in rows[0][0]]  # type: ignore[attr-defined]
    unpacked = Stamps.unpack(packed)
    assert unpacked.pack() == packed, "the stamps are not in their canonical form"
    return packed


def number_under(packed: Sequence[int], key: int) -> int:
    return dict(zip(packed[2::2], packed[3::2], strict=True)).get(key, 0)


def is_fresh(packed: Sequence[int]) -> bool:
    return newest(packed) > packed[1]


def simple(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, a text, b text)")
    pair.enlist("t")
    pair.run(pair.alpha, "INSERT INTO t VALUES (1, 'a', 'b')")


def tombstones(pair: Pair, table: str = "t") -> list[tuple[object, ...]]:
    query = "SELECT key, life, deleted, saw, stamps, cells, referential FROM kuroshio.tombstone"
    query += " WHERE nspname = %s AND relname = %s"
    return pair.run(pair.alpha, query, (pair.schema, table))

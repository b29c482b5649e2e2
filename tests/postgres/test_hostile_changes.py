"""What a hostile peer writes under its own signature, and what the writer makes of it: the rows that may be are
written, the others are set aside by themselves, and nothing is reached that is not under replication."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest

from replication.apply.incoming import Incoming
from replication.apply.writer import Writer
from replication.clock import now_us
from replication.core.stamps import moment
from replication.definitions import rules_for
from replication.postgres.applying import Reading
from replication.postgres.catalog import describe
from replication.postgres.enlist import enlist
from replication.postgres.indexes import constraints
from replication.wire.header import Header
from replication.wire.message import PARTS_OF, Section
from replication.wire.soundness import require_sound
from tests.postgres.servers import Pair, Servers

TABLE = "public.customer"
RULES = f"""
[table."{TABLE}".column]
stock = "counter"
tags = "set"
"""
CREATE = f"CREATE TABLE {TABLE} (id int PRIMARY KEY, name text, stock int, tags text[])"
INJECTION = "x'; DROP TABLE public.customer; --"
UNTOUCHED = """
SELECT (SELECT md5(string_agg(r::text, ';' ORDER BY rolname)) FROM pg_roles r),
       (SELECT md5(string_agg(oid::text || relname, ';' ORDER BY oid)) FROM pg_class WHERE relkind IN ('r', 'v', 'S')),
       (SELECT md5(string_agg(oid::text || prosrc, ';' ORDER BY oid)) FROM pg_proc),
       (SELECT md5(string_agg(r::text, ';')) FROM kuroshio.replicated_table r),
       (SELECT s::text FROM kuroshio.site s)"""


@dataclass
class Victim:
    """Alpha's writer, and what beta says to it."""

    pair: Pair
    writer: Writer
    lsn: int = 100

    def hears(self, *sections: Section) -> None:
        """One message with these sections, and a good row at its end."""
        require_sound(sections)
        now = now_us()
        header = Header("beta", "beef", "changes", self.lsn, self.lsn + 10, 7, now, now, now, now, transactions=1)
        good = row(self.lsn)
        incoming = Incoming(header, [*sections, good], b"", "stream", 0, 100, lambda: None, lambda _: None, 1)
        self.writer._write([incoming], careful=False)
        self.lsn += 10
        assert self.names(self.lsn - 10) == ["good"], "the others go on"

    def names(self, key: int) -> list[object]:
        return [name for (name,) in self.pair.run(self.pair.alpha, f"SELECT name FROM {TABLE} WHERE id = {key}")]

    def parked(self) -> list[tuple[object, ...]]:
        return self.pair.run(self.pair.alpha, "SELECT nspname, relname, reason FROM kuroshio.parked ORDER BY moment")

    def untouched(self) -> list[tuple[object, ...]]:
        return self.pair.run(self.pair.alpha, UNTOUCHED)


def stamp(ahead_seconds: int = 0) -> int:
    return moment(now_us() + ahead_seconds * 1_000_000, 2)


def row(key: int, name: str = "good") -> Section:
    return Section(
        ("public", "customer"), "I", ("id", "name", "stock", "tags"), 1,
        [[b"%d" % key], [name.encode()], [b"5"], [b"{a}"]], [stamp()], [0],
    )  # fmt: skip


@pytest.fixture(scope="module")
def alpha(servers: Servers) -> Iterator[Victim]:
    with ExitStack() as stack:
        pair = Pair(servers.database(rules=RULES), stack)
        pair.run(pair.alpha, CREATE)
        table = describe(pair.alpha, "public", "customer")
        declared = pair.config.rules.table(TABLE)
        enlist(pair.alpha, table, 1, rules_for(table, constraints(pair.alpha, table), declared), 0, send=False)
        writer = Writer(pair.config, pair.config.sites["alpha"], [Reading("beta")])
        writer.open()
        yield Victim(pair, writer)
        writer._connection.close()


@pytest.fixture
def victim(alpha: Victim) -> Victim:
    """Without what the last test left."""
    session = alpha.pair.alpha
    session.execute("SET session_replication_role = replica")
    for table in (TABLE, "kuroshio.tombstone", "kuroshio.parked"):
        session.execute(f"DELETE FROM {table}".encode())
    session.execute("RESET session_replication_role")
    return alpha


@pytest.mark.parametrize(
    "table",
    [
        ("public", "nowhere"), ("pg_catalog", "pg_authid"), ("kuroshio", "site"), ("kuroshio", "replicated_table"),
        ("public", INJECTION), (INJECTION, '"; DROP SCHEMA kuroshio CASCADE; --'), ("public", "x" * 120),
    ],
)  # fmt: skip
@pytest.mark.parametrize("op", ["I", "U", "D"])
def test_a_table_that_is_not_replicated_is_not_reached(victim: Victim, table: tuple[str, str], op: str) -> None:
    before = victim.untouched()
    section = replace(row(1, "bad"), table=table, op=op)  # type: ignore[arg-type]
    if op == "D":
        section = replace(section, columns=("id",), values=[[b"1"]], blobs={"saw": [b"{1,0}"]}, extra={"commit": [1]})
    victim.hears(section)
    assert victim.parked() == [(*table, "schema")]
    assert victim.untouched() == before


def test_sql_in_a_column_s_name_is_a_column_that_is_not_here(victim: Victim) -> None:
    before = victim.untouched()
    victim.hears(replace(row(1), columns=("id", "name", "stock", f'tags" = null; {INJECTION}')))
    assert victim.parked() == [("public", "customer", "schema")]
    assert victim.names(1) == ["good"]
    assert victim.untouched() == before


def test_sql_in_a_value_is_a_value(victim: Victim) -> None:
    before = victim.untouched()
    victim.hears(row(1, INJECTION), replace(row(2, "\\N"), op="I"), row(3, "a\tb\nc\\"))
    assert [victim.names(key) for key in (1, 2, 3)] == [[INJECTION], ["\\N"], ["a\tb\nc\\"]]
    assert victim.untouched() == before


def test_a_key_of_other_columns_finds_no_row(victim: Victim) -> None:
    victim.hears(row(1))
    values: list[list[bytes | None]] = [[b"good"], [b"1"], [b"1"], [None]]
    victim.hears(replace(row(1, "bad"), columns=("name", "id", "stock", "tags"), values=values))
    assert victim.names(1) == ["good"]
    assert ("public", "customer", "schema") in victim.parked()


@pytest.mark.parametrize("column", ["id", "stock", "tags"])
def test_a_value_that_its_type_or_its_rule_cannot_read_waits_alone(victim: Victim, column: str) -> None:
    section = row(1)
    section.values[section.columns.index(column)] = [b"what?"]
    victim.hears(section)
    assert victim.parked() == [("public", "customer", "refused")]


@pytest.mark.parametrize(
    "parts", [b'[1,{"1":[1,"what?"]}]', b'[1,{"1":[1,"NaN"]}]', b'[1,{"1":[1,"1e999999999"]}]', b'[1,{"x":[1,"1"]}]']
)
def test_parts_that_the_rule_cannot_read_wait_alone(victim: Victim, parts: bytes) -> None:
    victim.hears(row(1))
    edit = Section(
        ("public", "customer"), "U", ("id", "stock"), 1, [[b"1"], [b"6"]], [stamp()], [stamp(-5)],
        blobs={f"{PARTS_OF}stock": [parts]},
    )  # fmt: skip
    victim.hears(edit)
    stock = victim.pair.run(victim.pair.alpha, f"SELECT stock FROM {TABLE} WHERE id = 1")
    assert stock == [(5,)] or not victim.parked()


def a_delete(saw: bytes) -> Section:
    return Section(
        ("public", "customer"), "D", ("id",), 1, [[b"1"]], [stamp()], [0], {"commit": [1]}, {"saw": [saw]},
    )  # fmt: skip


def counted(parts: bytes) -> Section:
    return Section(
        ("public", "customer"), "U", ("id", "stock"), 1, [[b"1"], [b"6"]], [stamp()], [0],
        blobs={f"{PARTS_OF}stock": [parts]},
    )  # fmt: skip


AHEAD: dict[str, Callable[[], Section]] = {
    "a moment": lambda: replace(row(1, "bad"), moments=[stamp(3600)]),
    "what was seen": lambda: replace(row(1, "bad"), seen=[stamp(3600)]),
    "a term": lambda: replace(row(1, "bad"), extra={"term:name": [stamp(3600)]}),
    "what a delete saw": lambda: a_delete(b"{%d,0}" % (1 << 62)),
    "what a delete saw of a cell": lambda: a_delete(b"{1,0,8589934596,%d}" % ((1 << 63) - 1)),
    "our own count": lambda: counted(b'[1,{"1":[%d,"1"]}]' % ((1 << 63) - 1)),
    "a part": lambda: counted(b'[1,{"":[%d,"1"]}]' % stamp(3600)),
    "a row's insert, beside its parts": lambda: counted(b"[%d,{}]" % stamp(3600)),
}


@pytest.mark.parametrize("what", AHEAD)
def test_what_is_of_the_far_future_waits_for_the_clock(victim: Victim, what: str) -> None:
    """The next local write of the row would be stamped above it, and wait everywhere else, or find no room at all."""
    victim.hears(row(1))
    victim.hears(AHEAD[what]())
    victim.writer._retry_parked()
    assert victim.parked() == [("public", "customer", "clock")]
    assert victim.names(1) == ["good"]
    victim.pair.run(victim.pair.alpha, f"UPDATE {TABLE} SET name = 'ours', stock = stock + 1 WHERE id = 1")
    [(newest,)] = victim.pair.run(victim.pair.alpha, f"SELECT kuroshio.newest(kuroshio) FROM {TABLE} WHERE id = 1")
    assert int(str(newest)) < stamp(60)

"""A local write leaves in the row what the pure rule makes of it: the generated triggers against core.rules."""

import json
import random
from typing import Any

import psycopg
import pytest

from replication.core.rules import CELL_RULES, Cell, Write
from replication.core.stamps import Stamp, Stamps, cell_id
from tests.laws.histories import VALUES
from tests.postgres.servers import Pair

TYPES = {
    "counter": "numeric(12,2)",
    "set": "text[]",
    "append": "text",
    "greatest": "numeric",
    "least": "timestamp",
    "frozen": "int",
    "latest": "text",
}
TIMES = (b"2017-03-01 00:00:00", b"2016-02-29 12:00:00.5", b"0044-03-15 00:00:00 BC", b"infinity", None)
MORE_SETS = (b"{10,9,-1}", b'{"a b",",","\\"",NULL,a,a}', '{名,"　",b:c}'.encode(), b"{NULL}")
WRITES = 40


def values(rule: str) -> list[bytes | None]:
    if rule == "least":
        return list(TIMES)
    return [*VALUES.get(rule, (b"x", b"y", None)), *(MORE_SETS if rule == "set" else ())]


def text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def read(pair: Pair) -> tuple[bytes | None, Stamps, dict[str, Any]]:
    columns = "v::text, kuroshio" + (", kuroshio_parts->'v'" if has_parts(pair) else ", NULL")
    [(value, stamps, parts)] = pair.run(pair.alpha, f"SELECT {columns} FROM t")
    return None if value is None else str(value).encode(), Stamps.unpack(stamps), parts or {}  # type: ignore[arg-type, return-value]


def has_parts(pair: Pair) -> bool:
    return bool(
        pair.run(
            pair.alpha,
            "SELECT 1 FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'kuroshio_parts'",
        )
    )


def make(pair: Pair, rule: str, first: bytes | None) -> Cell:
    pair.everywhere(f"CREATE TABLE t (id int PRIMARY KEY, v {TYPES[rule]})")
    pair.enlist("t", {"columns": {"v": {"rule": rule}}})
    pair.run(pair.alpha, "INSERT INTO t VALUES (1, %s)", (text(first),))
    value, stamps, parts = read(pair)
    assert parts == {}
    return Cell(Stamp(0, 0, stamps.base), value, CELL_RULES[rule].unfold({}, value, stamps.base))


@pytest.mark.parametrize("rule", TYPES)
def test_the_trigger_writes_what_the_rule_says(pair: Pair, rule: str) -> None:
    dice = random.Random(f"triggers {rule}")
    cell = make(pair, rule, values(rule)[0])
    for _ in range(WRITES):
        typed = dice.choice(values(rule))
        if rule == "frozen" and cell.value is not None and typed != cell.value:
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="is frozen"):
                pair.run(pair.alpha, "UPDATE t SET v = %s", (text(typed),))
            continue
        pair.run(pair.alpha, "UPDATE t SET v = %s", (text(typed),))
        value, stamps, parts = read(pair)
        stamp = stamps.of(cell_id("v"))
        if stamp.moment > cell.stamp.moment:
            cell = CELL_RULES[rule].write(cell, Write(typed, stamp.moment))
        assert (value, stamp) == (cell.value, cell.stamp)
        folded = CELL_RULES[rule].fold(cell.parts, cell.value, stamps.base)
        assert parts == json.loads(json.dumps(folded))
        assert CELL_RULES[rule].unfold({k: tuple(v) for k, v in parts.items()}, value, stamps.base) == cell.parts


def test_what_a_set_is_set_to_in_another_order_is_no_edit(pair: Pair) -> None:
    make(pair, "set", b"{a,b}")
    before = read(pair)
    pair.run(pair.alpha, "UPDATE t SET v = '{b,a,b}'")
    after = read(pair)
    assert (after[0], after[1].newest, after[2]) == (before[0], before[1].newest, before[2])


def test_a_tombstone_keeps_the_parts(pair: Pair) -> None:
    make(pair, "counter", b"5.00")
    pair.run(pair.alpha, "UPDATE t SET v = v + 2")
    pair.run(pair.alpha, "DELETE FROM t")
    query = "SELECT parts FROM kuroshio.tombstone WHERE nspname = %s"
    assert pair.run(pair.alpha, query, (pair.schema,)) == [({"v": {"1": [1, "2.00"]}},)]

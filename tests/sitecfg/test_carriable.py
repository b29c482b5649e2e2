"""Which types a rule can carry, by the names that format_type gives them."""

import pytest

from sitecfg import CARRIABLE, can_carry
from sitecfg.carriable import is_text

NUMBERS = ["smallint", "integer", "bigint", "numeric(12,2)", "numeric(5,0)", "numeric(2,-3)"]
TIMES = [
    "date",
    "timestamp without time zone",
    "timestamp with time zone",
    "timestamp(3) without time zone",
    "timestamp(0) with time zone",
]
ARRAYS = ["text[]", "character varying[]", "character varying(20)[]", "integer[]", "bigint[]", "uuid[]"]
TEXTS = ["text", "character varying"]
OTHERS = [
    "numeric",
    "real",
    "double precision",
    "money",
    "interval",
    "jsonb",
    "boolean",
    "bytea",
    "time without time zone",
]
OTHERS += [
    "numeric(3,1)[]",
    "date[]",
    "character varying(20)",
    "character(3)",
    "uuid",
    "public.citext",
    "x.y",
]
CARRIED = {
    "counter": NUMBERS,
    "greatest": NUMBERS + TIMES,
    "least": NUMBERS + TIMES,
    "set": ARRAYS,
    "append": TEXTS,
}
EVERY_TYPE = NUMBERS + TIMES + ARRAYS + TEXTS + OTHERS


@pytest.mark.parametrize("rule", CARRIABLE)
def test_a_rule_carries_exactly_its_types(rule: str) -> None:
    assert [name for name in EVERY_TYPE if can_carry(rule, name)] == [
        name for name in EVERY_TYPE if name in CARRIED.get(rule, EVERY_TYPE)
    ]


@pytest.mark.parametrize("name", ["text", "character varying", "character varying(20)", "citext", "public.citext"])
def test_text_can_be_marked_hashed_and_cut(name: str) -> None:
    assert is_text(name)


@pytest.mark.parametrize("name", ["character(3)", "text[]", "jsonb", "uuid", "public.text", "mycitext"])
def test_what_is_no_free_text_cannot(name: str) -> None:
    assert not is_text(name)

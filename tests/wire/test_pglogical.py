"""The decoder against bytes of a real server, and against bytes that no server sends (invariants: its module)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.errors import DecodeError
from replication.wire.pglogical import UNCHANGED, Decoder, Delete, Insert, Relation, Update, Values, plugin_options
from tests.wire.golden.cases import CASES
from tests.wire.golden.record import GOLDEN, describe, record

LINES: list[dict[str, Any]] = [json.loads(line) for line in GOLDEN.read_text().splitlines()]
MESSAGES = [bytes.fromhex(line["hex"]) for line in LINES if "hex" in line]
Rows = list[dict[str, str | None]]


def a_decoder_of_all() -> Decoder:
    decoder = Decoder()
    for message in MESSAGES:
        decoder.feed(message)
    return decoder


def test_golden_bytes_say_what_was_reviewed() -> None:
    decoder = Decoder()
    for line in LINES:
        if "hex" in line:
            event = decoder.feed(memoryview(bytes.fromhex(line["hex"])))
            assert json.loads(json.dumps(describe(event))) == line["says"]


def by_case() -> list[tuple[str, list[bytes], Rows]]:
    cases: list[tuple[str, list[bytes], Rows]] = []
    for line in LINES:
        if "case" in line:
            cases.append((line["case"], [], line["rows"]))
        else:
            cases[-1][1].append(bytes.fromhex(line["hex"]))
    return cases


@pytest.mark.parametrize(("messages", "rows"), [pytest.param(m, r, id=name) for name, m, r in by_case()])
def test_what_was_decoded_replayed_gives_the_rows_that_a_query_gave(messages: list[bytes], rows: Rows) -> None:
    """Independent of our own reading of the format: the rows are the server's answer to SELECT."""
    decoder, table = Decoder(), Replayed()
    for message in messages:
        table.replay(decoder.feed(message))
    assert sorted(table.rows(), key=str) == sorted(rows, key=str)


class Replayed:
    """One table, made from its changes."""

    def __init__(self) -> None:
        self._relation: Relation | None = None
        self._rows: dict[Values, Values] = {}

    def rows(self) -> Rows:
        columns = self._relation.columns if self._relation else ()
        texts = ([None if v is None else v.decode() for v in row if v is not UNCHANGED] for row in self._rows.values())
        return [dict(zip(columns, row, strict=False)) for row in texts]

    def replay(self, event: object) -> None:
        match event:
            case Insert(Relation(schema="pglogical"), _):
                self._rows.clear()
            case Insert(relation, values):
                self._put(relation, values)
            case Update(relation, key, values):
                old = self._rows.pop(self._key(relation, key or values)) + (None,) * len(values)
                kept = (o if v is UNCHANGED else v for o, v in zip(old, values, strict=False))
                self._put(relation, tuple(kept))
            case Delete(relation, key):
                self._rows.pop(self._key(relation, key), None)
            case Relation(schema="public"):
                self._relation = event

    def _put(self, relation: Relation, values: Values) -> None:
        self._relation = relation
        self._rows[self._key(relation, values)] = values

    @staticmethod
    def _key(relation: Relation, values: Values) -> Values:
        return tuple(values[place] for place in relation.keys)


def without_what_differs_by_run(lines: list[dict[str, Any]]) -> list[Any]:
    """LSNs, xids, OIDs and times are another server's."""
    kept: list[Any] = []
    for line in lines:
        says = line.get("says", [])
        if says[:1] == ["relation"]:
            kept.append([*says[:2], *says[3:]])
        elif says[:1] in (["begin"], ["commit"]):
            kept.append(says[0])
        elif says[:2] != ["insert", "pglogical.queue"]:
            kept.append(says or line)
    return kept


def test_a_real_server_still_sends_what_the_golden_file_says() -> None:
    """Also proves SESSION_SETTINGS: that server's own settings would write times and bytea otherwise."""
    fresh = [json.loads(json.dumps(line)) for line in record()]
    assert without_what_differs_by_run(fresh) == without_what_differs_by_run(LINES)


def test_every_case_is_in_the_golden_file() -> None:
    assert [name for name, _, _ in by_case()] == [case.name for case in CASES]


def test_rule_4_a_relation_sent_again_unchanged_stays_the_same_object() -> None:
    decoder = Decoder()
    relation = next(message for message in MESSAGES if message.startswith(b"R"))
    assert decoder.feed(relation) is decoder.feed(bytes(relation))


def test_a_change_of_a_relation_that_was_never_described_is_refused() -> None:
    change = next(message for message in MESSAGES if message.startswith(b"I"))
    with pytest.raises(DecodeError):
        Decoder().feed(change)


@pytest.mark.parametrize("kind", [b"S", b"R", b"B", b"I", b"U", b"D", b"C"])
def test_rule_5_a_message_cut_at_any_byte_is_refused(kind: bytes) -> None:
    decoder = a_decoder_of_all()
    message = min((message for message in MESSAGES if message.startswith(kind)), key=len)
    for size in range(len(message)):
        if kind == b"S" and message[:size].count(0) % 2 == 0 and message[size - 1 : size] == b"\0":
            continue  # a startup message has no length: the shorter one is a whole one
        with pytest.raises(DecodeError):
            decoder.feed(message[:size])


@pytest.mark.parametrize("kind", [b"R", b"B", b"I", b"U", b"D", b"C"])
def test_rule_5_a_message_with_a_byte_too_many_is_refused(kind: bytes) -> None:
    message = next(message for message in MESSAGES if message.startswith(kind))
    with pytest.raises(DecodeError):
        a_decoder_of_all().feed(message + b"\0")


ALL = a_decoder_of_all()


@given(st.binary(max_size=200))
def test_rule_5_random_bytes_are_an_event_or_refused(data: bytes) -> None:
    fed(data)


@given(st.sampled_from(MESSAGES), st.integers(0, 10_000), st.integers(0, 255))
def test_rule_5_a_changed_byte_is_an_event_or_refused(message: bytes, place: int, byte: int) -> None:
    place %= len(message)
    fed(message[:place] + bytes((byte,)) + message[place + 1 :])


def fed(data: bytes) -> None:
    """Any other error than DecodeError fails the test."""
    try:
        ALL.feed(data)
    except DecodeError:
        return


def test_forwarded_origins_and_binary_values_are_understood_though_not_asked_for() -> None:
    decoder = Decoder()
    origin = decoder.feed(b"O\0" + (77).to_bytes(8, "big") + b"\x05peer\0")
    assert describe(origin) == ["origin", 77, "peer"]
    decoder.feed(b"R\0\0\0\0\1\2s\0\2t\0A\0\1C\1N\0\2c\0")
    insert = decoder.feed(b"I\0\0\0\0\1NT\0\1b\0\0\0\2\0\1")
    assert isinstance(insert, Insert)
    assert insert.values == (b"\0\1",)


def test_set_names_are_quoted_as_identifiers() -> None:
    assert plugin_options(["kuroshio", 'a"B'])["pglogical.replication_set_names"] == '"kuroshio","a""B"'

"""The laws of a message (numbered in replication.wire.message)."""

import copy
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from replication.core.progress import Position
from replication.errors import DecodeError, InvariantError, OversizedError, SignatureError
from replication.wire import message, numbers
from replication.wire.binary import MAX_BODY, MAX_TEXT, BodyWriter, Writer
from replication.wire.header import Header, Lineage, Part, write_header
from replication.wire.integers import write_stamps
from replication.wire.message import Message, Section, decode, decode_sections, encode, read_header
from replication.wire.signing import SIGNATURE_SIZE, Signer, Verifier
from tests.wire.conftest import signer_of
from tests.wire.sections import HEADERS, every_encoding, sections

SIGN = signer_of(b"t")
VERIFY = Verifier({"taipei": SIGN.public_pem})
HEADER = Header("taipei", "00ff")


def a_section(values: list[bytes | None]) -> Section:
    rows = len(values)
    return Section(("public", "t"), "I", ("v",), 1, [values], [1 << 10 | 1] * rows, [0] * rows)


@given(HEADERS, st.lists(sections(), max_size=3), st.sampled_from([1, 9]))
def test_what_is_decoded_is_what_was_encoded(header: Header, changes: list[Section], level: int) -> None:
    body = encode(header, changes, SIGN, level)
    assert decode(body, VERIFY) == (header, changes)
    assert read_header(memoryview(body), VERIFY)[0] == header


def test_the_law_catches_a_codec_that_drops_leading_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken twin of ``numbers.parse``."""

    def careless(values: list[bytes], *_: object) -> object:
        amounts = np.array([int(value) for value in values], np.int64)
        return amounts, numbers.Shape(b"", 0, 0)

    section = a_section([b"007", b"12"])
    assert decode(encode(HEADER, [section], SIGN), VERIFY).sections == [section]
    monkeypatch.setattr(numbers, "parse", careless)
    assert decode(encode(HEADER, [section], SIGN), VERIFY).sections != [section]


@given(HEADERS, st.lists(sections(), max_size=2))
@settings(max_examples=30)
def test_rule_1_equal_input_gives_equal_bytes(header: Header, changes: list[Section]) -> None:
    assert encode(header, changes, SIGN) == encode(copy.deepcopy(header), copy.deepcopy(changes), SIGN)


def test_rule_2_every_changed_bit_is_refused() -> None:
    body = encode(HEADER, [a_section([b"x", None])], SIGN)
    for bit in range(len(body) * 8):
        changed_body = bytearray(body)
        changed_body[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DecodeError):
            decode(bytes(changed_body), VERIFY)


def test_rule_2_a_message_cut_anywhere_is_refused() -> None:
    body = encode(HEADER, [a_section([b"x", None])], SIGN)
    for size in range(len(body)):
        with pytest.raises(DecodeError):
            decode(body[:size], VERIFY)


def test_rule_2_only_the_origin_that_it_names_can_sign_it(shanghai: Signer, verifier: Verifier) -> None:
    with pytest.raises(SignatureError):
        decode(encode(HEADER, [], shanghai), verifier)
    with pytest.raises(SignatureError):
        decode(encode(Header("nowhere", ""), [], SIGN), verifier)


def resigned(body: bytes) -> bytes:
    signed = body[:-SIGNATURE_SIZE]
    return signed + SIGN(signed)


CHANGES = st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=4)


def changed(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    copied = bytearray(data)
    for place, byte in changes:
        copied[place % len(copied)] = byte
    return bytes(copied)


@given(CHANGES)
def test_rule_4_changed_bytes_under_a_good_signature_are_a_message_or_refused(changes: list[tuple[int, int]]) -> None:
    body = encode(HEADER, [every_encoding()], SIGN)
    taken(resigned(changed(body, changes)))


@given(CHANGES, st.integers(0, 3))
@settings(max_examples=400)
def test_rule_4_changed_zones_are_sections_or_refused(changes: list[tuple[int, int]], cut: int) -> None:
    """Below the compression, which would refuse most of what the test above changes."""
    body = BodyWriter()
    body.uint(1)
    message._write_section(body, every_encoding(), message._Budget(InvariantError))
    loose, dense = body.zones()
    zones = [changed(loose, changes)[: len(loose) - cut], dense]
    taken(a_message(zones, [(0, len(zone)) for zone in zones]))


@given(st.binary(max_size=300))
def test_rule_4_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data, VERIFY)
    taken(resigned(b"KUR\1" + data + bytes(SIGNATURE_SIZE)))


def taken(body: bytes) -> None:
    """Any other error than DecodeError fails the test."""
    try:
        assert isinstance(decode(body, VERIFY), Message)
    except DecodeError:
        return


def a_message(zones: list[bytes], declared: list[tuple[int, int]]) -> bytes:
    plan = Writer()
    for (coding, size), zone in zip(declared, zones, strict=True):
        plan.byte(coding)
        plan.uint(size)
        plan.uint(len(zone))
    head = Writer()
    head.raw(write_header(HEADER))
    head.raw(bytes(plan.buffer))
    return resigned(b"KUR\1" + head.buffer + b"".join(zones) + bytes(SIGNATURE_SIZE))


BOMB = zstandard.ZstdCompressor(19).compress(bytes(MAX_BODY + 1))
NO_SIZE = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(1000))


@pytest.mark.parametrize(
    ("zone", "size"),
    [(BOMB, MAX_BODY + 1), (BOMB, 100), (NO_SIZE, 1000), (NO_SIZE, 10), (b"\x28\xb5\x2f\xfd", 10), (b"", 1 << 60)],
)
def test_rule_3_a_zone_that_is_larger_than_it_says_or_may_be_is_refused(zone: bytes, size: int) -> None:
    with pytest.raises(DecodeError):
        decode(a_message([zone, b""], [(1, size), (0, 0)]), VERIFY)


def test_rule_3_a_small_message_cannot_claim_many_rows() -> None:
    body = BodyWriter()
    body.uint(1)
    for name in ("public", "t"):
        body.text(name)
    body.byte(ord("I"))
    for count in (message.MAX_ROWS + 1, 0, 0):
        body.uint(count)
    zones = list(body.zones())
    with pytest.raises(DecodeError, match="rows"):
        decode(a_message(zones, [(0, len(zone)) for zone in zones]), VERIFY)


def claiming(rows: int, column: bytes) -> bytes:
    """A message whose one column is these bytes of meta, for so many rows."""
    body = BodyWriter()
    body.uint(1)
    for name in ("public", "t"):
        body.text(name)
    body.byte(ord("I"))
    for count in (rows, 1, 1):
        body.uint(count)
    body.text("v")
    for _ in range(2):
        write_stamps(body, np.ones(rows, np.int64), None)
    body.buffer += column + bytes(2)
    zones = list(body.zones())
    return a_message(zones, [(0, len(zone)) for zone in zones])


def test_rule_3_a_constant_or_a_prefix_cannot_be_repeated_into_gigabytes() -> None:
    constant = Writer()
    constant.byte(1)
    constant.raw(b"x" * 1000)
    numbered = Writer()
    numbered.byte(5)
    numbered.raw(b"x" * 255)
    for byte in (0, 0, 0, 0):  # scale, width, predicted from nothing, the least residual
        numbered.byte(byte)
    for column in (constant, numbered):
        assert decode(claiming(10, bytes(column.buffer)), VERIFY).sections[0].values[0]
        with pytest.raises(OversizedError, match="values"):
            decode(claiming(message.MAX_ROWS, bytes(column.buffer)), VERIFY)


def test_rule_3_sections_and_columns_without_rows_are_counted_too() -> None:
    empty = Writer()
    for byte in (0, 0, ord("U"), 0, 0, 0, 0, 0, 0, 0):
        empty.byte(byte)
    for count in (3, 70_000):
        body = BodyWriter()
        body.uint(count)
        body.buffer += empty.buffer * count
        zones = list(body.zones())
        bomb = a_message(zones, [(0, len(zone)) for zone in zones])
        if count == 3:
            assert len(decode(bomb, VERIFY).sections) == count
        else:
            with pytest.raises(OversizedError, match="cells"):
                decode(bomb, VERIFY)


def test_rule_3_a_message_or_a_header_beyond_the_bound_is_not_even_verified() -> None:
    def never(*_: object) -> None:
        raise AssertionError("looked at")

    with pytest.raises(OversizedError):
        read_header(bytes(message.MAX_MESSAGE + 1), never)
    long = Writer()
    long.uint(message.MAX_HEAD + 1)
    with pytest.raises(OversizedError):
        read_header(b"KUR\1" + long.buffer + bytes(message.MAX_HEAD + 100), never)


def test_rule_3_what_no_reader_would_take_is_not_written() -> None:
    with pytest.raises(InvariantError):
        encode(HEADER, [a_section([b"a" * (MAX_BODY // 2), b"b" * (MAX_BODY // 2)])], SIGN)
    with pytest.raises(InvariantError):
        encode(HEADER, [a_section([None] * (message.MAX_ROWS + 1))], SIGN)
    with pytest.raises(InvariantError):
        encode(HEADER, [a_section([b"x" * (MAX_TEXT // 100)] * 101)], SIGN)
    with pytest.raises(InvariantError):
        encode(Header("taipei", "", rules_version="x" * (message.MAX_HEAD + 1)), [], SIGN)


def test_columns_of_different_lengths_are_our_own_fault() -> None:
    section = a_section([b"a"])
    section.seen = []
    with pytest.raises(InvariantError):
        encode(HEADER, [section], SIGN)


def test_a_later_format_version_is_refused_before_anything_is_read() -> None:
    body = bytearray(encode(HEADER, [], SIGN))
    body[3] = 2
    with pytest.raises(DecodeError, match="version 2"):
        decode(resigned(bytes(body)), VERIFY)


GOLDEN = Path(__file__).parent / "golden" / "message-1.hex"
GOLDEN_HEADER = Header(
    "taipei",
    "00ff",
    "part",
    from_lsn=1 << 33,
    to_lsn=(1 << 33) + 5,
    xid=741,
    first_commit_us=-2,
    last_commit_us=3,
    published_us=1,
    clock_us=848_000_000_000_000,
    transactions=1,
    changes_total=40,
    rules_version="not hexadecimal",
    positions={"us": Position("", 7, 8, 9)},
    claims={"us": 6},
    part=Part(741, 2, is_last=True),
    lineage=[Lineage("beef", 1 << 32)],
)


def test_a_message_of_format_version_1_stays_readable() -> None:
    """Made once with ``encode(GOLDEN_HEADER, [every_encoding()], SIGN)``; streams hold such messages for days."""
    body = bytes.fromhex(GOLDEN.read_text())
    assert decode(body, VERIFY) == (GOLDEN_HEADER, [every_encoding()])


def test_a_heartbeat_is_small() -> None:
    assert len(encode(Header("taipei", "00ff" * 8, "heartbeat"), [], SIGN)) < 140


def test_sections_can_be_read_later_than_the_header() -> None:
    section = a_section([b"a", None, b""])
    _, rest = read_header(encode(HEADER, [section], SIGN), VERIFY)
    assert decode_sections(rest) == [section]

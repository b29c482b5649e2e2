"""Inputs for the fuzzer: real messages with something changed that a decoder reads as structure."""

import json
import random
from collections.abc import Callable, Sequence
from functools import cache

import zstandard

from replication.core.progress import Position
from replication.errors import InvariantError
from replication.wire import message
from replication.wire.binary import BodyWriter, Writer
from replication.wire.header import Header, Lineage, Part, write_header
from replication.wire.message import COMMIT_LSN, MAX_ROWS, SENT_LSN, WHOLE, Section
from replication.wire.signing import SIGNATURE_SIZE
from tests.wire.golden.record import GOLDEN
from tests.wire.sections import every_encoding

COUNTS = (0, 1, 2, 7, 8, 40, 127, 128, 255, 256, 65_535, MAX_ROWS, MAX_ROWS + 1, 1 << 26, 1 << 31, 1 << 40, 1 << 63,
          (1 << 64) - 1, (1 << 70) - 1)  # fmt: skip
"""What a count or a size may say to do harm."""
TEXTS = (b"", b"\0", b"\xff", b"\xc3", b"'; drop table customer; --", b"{", b"[1,{}]", b'[1,{"1":[1,"x"]}]', b"NULL",
         b'[1,{"1":[1,"\\ud800"]}]', b"[" * 3000, b"9" * 5000, b"{1,2,3}", b"{1,a}")  # fmt: skip
"""What a name, a value or a blob may say to do harm."""

Zones = tuple[bytes, bytes]


# -- messages ----------------------------------------------------------------------------------------------------------


def a_message(chance: random.Random) -> list[bytes]:
    """One message, as the broker would deliver it; its signature says nothing."""
    head, zones = chance.choice(_heads()), chance.choice(_bodies())
    mangle = chance.choice(_MANGLES)
    return [mangle(chance, head, zones)]


def _composed(head: bytes, zones: Zones, codings: Sequence[tuple[int, int, bytes]] | None = None) -> bytes:
    """A message of these parts; ``codings`` are what the plan says: coding, declared size, the bytes here."""
    plan, out = Writer(), Writer()
    for coding, size, here in codings or [(0, len(zone), zone) for zone in zones]:
        plan.byte(coding)
        plan.uint(size)
        plan.uint(len(here))
    out.raw(head)
    out.raw(bytes(plan.buffer))
    packed = b"".join(here for _, _, here in codings) if codings else b"".join(zones)
    return b"KUR\1" + bytes(out.buffer) + packed + bytes(SIGNATURE_SIZE)


def _any_bytes(chance: random.Random, head: bytes, zones: Zones) -> bytes:
    return _mangled(chance, _composed(head, zones)[:-SIGNATURE_SIZE]) + bytes(SIGNATURE_SIZE)


def _the_head(chance: random.Random, head: bytes, zones: Zones) -> bytes:
    return _composed(_mangled(chance, head), zones)


def _the_meta(chance: random.Random, head: bytes, zones: Zones) -> bytes:
    """What says what is where; its length goes along."""
    size, place = _varint_at(zones[0], 0)
    out = Writer()
    out.raw(_mangled(chance, zones[0][place : place + size]))
    return _composed(head, (bytes(out.buffer) + zones[0][place + size :], zones[1]))


def _the_data(chance: random.Random, head: bytes, zones: Zones) -> bytes:
    size, place = _varint_at(zones[0], 0)
    end = place + size
    return _composed(head, (zones[0][:end] + _mangled(chance, zones[0][end:]), _mangled(chance, zones[1])))


def _a_strange_pair(chance: random.Random, head: bytes, zones: Zones) -> bytes:
    other = chance.choice(_bodies())
    return _composed(head, chance.choice([(zones[0], other[1]), (other[0], zones[1]), (zones[1], zones[0])]))


def _the_frames(chance: random.Random, head: bytes, zones: Zones) -> bytes:
    """Compression that lies: of its size, of its end, of there being any."""
    codings = []
    for zone in zones:
        frame = zstandard.ZstdCompressor(1, write_content_size=chance.random() < 0.8).compress(zone)
        if chance.random() < 0.5:
            frame = _mangled(chance, frame)
        size = chance.choice((len(zone), len(zone), len(zone) + 1, chance.choice(COUNTS)))
        codings.append((chance.choice((1, 1, 1, 0, 2, 255)), size, frame))
    return _composed(head, zones, codings)


def _the_sense(chance: random.Random, head: bytes, _unused: Zones) -> bytes:
    """Well formed, and nothing that a site of ours would write."""
    while True:
        section = _a_section(chance.randrange(1, 4))
        for _ in range(chance.randrange(1, 4)):
            chance.choice(_TWISTS)(chance, section)
        try:
            return _composed(head, _zones([section]))
        except (InvariantError, OverflowError):
            continue


_MANGLES: tuple[Callable[[random.Random, bytes, Zones], bytes], ...] = (
    _any_bytes, _the_head, _the_meta, _the_meta, _the_meta, _the_data, _a_strange_pair, _the_frames, _the_sense,
)  # fmt: skip


def _twist_values(chance: random.Random, section: Section) -> None:
    chance.choice(section.values)[chance.randrange(len(section.moments))] = chance.choice((None, *TEXTS))


def _twist_blobs(chance: random.Random, section: Section) -> None:
    chance.choice([*section.blobs.values()])[chance.randrange(len(section.moments))] = chance.choice((None, *TEXTS))


def _twist_numbers(chance: random.Random, section: Section) -> None:
    numbers = chance.choice([section.moments, section.seen, *section.extra.values()])
    numbers[chance.randrange(len(numbers))] = chance.choice((0, 1, -1, 1 << 62, (1 << 63) - 1, -1 << 63))


def _twist_names(chance: random.Random, section: Section) -> None:
    names = [*section.columns]
    names[chance.randrange(len(names))] = chance.choice(("", "\0", "id", "x" * 300, 'a"b', names[0]))
    section.columns = tuple(names)
    section.table = chance.choice((section.table, ("pg_catalog", "pg_authid"), ("", ""), ("kuroshio", "position")))


def _twist_shape(chance: random.Random, section: Section) -> None:
    section.op = chance.choice(("I", "U", "D"))
    section.key_count = chance.randrange(len(section.columns) + 1)
    section.extra[chance.choice(("life", "commit", "mask:name", "moment:name", "epoch:name", "referential"))] = [
        chance.choice((0, 1, 5)) for _ in section.moments
    ]


_TWISTS = (_twist_values, _twist_blobs, _twist_numbers, _twist_names, _twist_shape)


def _a_section(rows: int) -> Section:
    moments = [(848_000_000_000_000 + row) << 10 | 1 for row in range(rows)]
    values = [[b"%d" % row for row in range(rows)], [b"name %d" % row for row in range(rows)], [b"7"] * rows]
    parts = json.dumps([moments[0], {"1": [1, "2.5"]}]).encode()
    saw = b"{%d,%d}" % (moments[0], moments[0])
    return Section(
        ("public", "customer"), "U", ("id", "name", "stock"), 1, [list(column) for column in values], moments,
        [0] * rows, {"life": [1] * rows, SENT_LSN: [0] * rows}, {"parts:stock": [parts] * rows, "saw": [saw] * rows},
    )  # fmt: skip


@cache
def _bodies() -> list[Zones]:
    """Zones of real messages: every encoding, several sections, a delete, a whole row, nothing."""
    gone, whole = _a_section(3), _a_section(2)
    gone.op, gone.columns, gone.values, gone.blobs = "D", ("id",), gone.values[:1], {"saw": gone.blobs["saw"]}
    gone.extra = {COMMIT_LSN: [5, 6, 7]}
    whole.extra |= {WHOLE: [1, 1], "moment:name": [1, 0], "mask:name": [0, 1], "epoch:name": [1, 2]}
    some: list[list[Section]] = [[every_encoding()], [_a_section(3), gone], [whole], [_a_section(1)] * 5, []]
    return [_zones(sections) for sections in some]


def _zones(sections: list[Section]) -> Zones:
    body = BodyWriter()
    body.uint(len(sections))
    for section in sections:
        message._write_section(body, section, message._Budget(InvariantError))
    return body.zones()


@cache
def _heads() -> list[bytes]:
    place = Position("beef", 7, 8, 9)
    full = Header("taipei", "00ff", "part", 5, 9, 741, 1, 2, 3, 4, 1, 40, "v1", {"us": place}, {"us": 6})
    full.part, full.lineage = Part(741, 2, is_last=True), [Lineage("beef", 1 << 32)]
    return [write_header(Header("taipei", "00ff")), write_header(full)]


# -- what a walsender says ---------------------------------------------------------------------------------------------


def a_stream(chance: random.Random) -> list[bytes]:
    """A run of payloads, the relations that they need before them; some of either are changed."""
    payloads = _golden()
    start = chance.randrange(len(payloads))
    relations = [payload for payload in payloads[:start] if payload[:1] == b"R"][-4:]
    run = [*relations, *payloads[start : start + chance.randrange(1, 5)]]
    return [_mangled(chance, payload) if chance.random() < 0.7 else payload for payload in run]


@cache
def _golden() -> list[bytes]:
    lines = map(json.loads, GOLDEN.read_text().splitlines())
    return [bytes.fromhex(line["hex"]) for line in lines if "hex" in line]


# -- bytes -------------------------------------------------------------------------------------------------------------


def _mangled(chance: random.Random, data: bytes) -> bytes:
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        data = chance.choice(_CHANGES)(chance, data, chance.randrange(len(data) + 1))
    return data


def _varint(number: int) -> bytes:
    out = Writer()
    out.uint(number)
    return bytes(out.buffer)


def _varint_at(data: bytes, place: int) -> tuple[int, int]:
    """The number at a place, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[place] & 0x7F) << shift
        shift, place = shift + 7, place + 1
        if data[place - 1] < 0x80:
            return value, place


def _a_bit(chance: random.Random, data: bytes, at: int) -> bytes:
    changed = bytearray(data or b"\0")
    changed[at % len(changed)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _a_fixed_number(chance: random.Random, data: bytes, at: int) -> bytes:
    width = chance.choice((1, 2, 4, 8))
    return data[:at] + chance.choice(COUNTS).to_bytes(9, "big")[-width:] + data[at + width :]


_CHANGES: tuple[Callable[[random.Random, bytes, int], bytes], ...] = (
    _a_bit,
    _a_fixed_number,
    lambda chance, data, at: data[:at] + bytes((chance.randrange(256),)) + data[at + 1 :],
    lambda chance, data, at: data[:at] + _varint(chance.choice(COUNTS)) + data[at + 1 :],
    lambda chance, data, at: data[:at] + chance.choice(TEXTS) + data[at:],
    lambda chance, data, at: data[:at] + data[at + chance.randrange(1, 9) :],
    lambda chance, data, at: data[:at] + data[at // 2 : at] + data[at:],
    lambda chance, data, at: data[:at],
)
"""Change one place: a bit, a number of fixed width, any byte, a varint; insert, drop, repeat, cut off."""

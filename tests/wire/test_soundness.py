"""What a message may say (the rules are numbered in replication.wire.soundness)."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from replication.core.progress import Position
from replication.errors import DecodeError
from replication.wire.header import Header, Lineage, Part
from replication.wire.message import Section
from replication.wire.soundness import require_sound, require_sound_header

AT = 848_000_000_000_000 << 10 | 1
SOUND = Section(
    ("public", "customer"), "U", ("id", "name", "stock"), 1, [[b"7"], ["陳".encode()], [b"3"]], [AT], [0],
    {"life": [2], "epoch:name": [1]}, {"parts:stock": [b'[1,{"1":[1,"2.5"]}]'], "saw": [b"{1,2,8589934592,3}"]},
)  # fmt: skip
HEADER = Header("taipei", "00ff", positions={"us": Position("beef", 1, 2, 3)}, claims={"us": 4}, clock_us=AT >> 10)


def test_what_a_site_writes_is_sound() -> None:
    require_sound([SOUND])
    require_sound_header(HEADER)
    require_sound_header(replace(HEADER, kind="part", part=Part(1, 0, is_last=False)))


HEADERS: dict[str, Callable[[], Header]] = {
    "rule 1: a time of no calendar": lambda: replace(HEADER, published_us=1 << 60),
    "rule 1: a peer's position of no calendar": lambda: replace(HEADER, positions={"us": Position("", 0, 0, -1 << 62)}),
    "rule 2: a version with a NUL": lambda: replace(HEADER, rules_version="a\0"),
    "rule 2: a log's name that is no stream's": lambda: replace(HEADER, lineage=[Lineage("x" * 300, 0)]),
    "rule 2: a site without a name": lambda: replace(HEADER, claims={"": 1}),
    "rule 2: more sites than there can be": lambda: replace(HEADER, claims={f"s{n}": n for n in range(2000)}),
    "rule 4: a part beyond all": lambda: replace(HEADER, kind="part", part=Part(1, 1 << 31, is_last=False)),
    "rule 5: a part of nothing": lambda: replace(HEADER, kind="part"),
    "rule 5: changes that are a part": lambda: replace(HEADER, part=Part(1, 0, is_last=False)),
    "rule 5: a heartbeat that is a part": lambda: replace(HEADER, kind="heartbeat", part=Part(1, 0, is_last=True)),
}


@pytest.mark.parametrize("name", HEADERS)
def test_an_unsound_header_is_refused(name: str) -> None:
    with pytest.raises(DecodeError):
        require_sound_header(HEADERS[name]())


def with_blob(name: str, value: bytes) -> Section:
    return replace(SOUND, blobs={**SOUND.blobs, name: [value]})


def with_name(value: bytes) -> Section:
    return replace(SOUND, values=[[b"7"], [value], [b"3"]])


SECTIONS = {
    "rule 2: a table with a NUL": replace(SOUND, table=("public", "a\0b")),
    "rule 2: a column without a name": replace(SOUND, columns=("id", "", "stock")),
    "rule 2: a column twice": replace(SOUND, columns=("id", "id", "stock")),
    "rule 2: no key": replace(SOUND, key_count=0),
    "rule 2: a delete with values": replace(SOUND, op="D"),
    "rule 3: a NULL in the key": replace(SOUND, values=[[None], [b"x"], [b"3"]]),
    "rule 3: a NUL": with_name(b"a\0b"),
    "rule 3: no UTF-8": with_name(b"\xff"),
    "rule 3: half a character, and the other half in the next row": replace(
        SOUND, values=[[b"7", b"8"], [b"\xe9\x99", b"\xb3"], [b"3", b"3"]], moments=[AT, AT], seen=[0, 0]
    ),
    "rule 4: no moment": replace(SOUND, moments=[0]),
    "rule 4: negative seen": replace(SOUND, seen=[-1]),
    "rule 4: the last life": replace(SOUND, extra={"life": [1 << 62]}),
    "rule 4: the last epoch": replace(SOUND, extra={"epoch:name": [(1 << 63) - 1]}),
    "rule 6: parts that are no JSON": with_blob("parts:stock", b"["),
    "rule 6: parts in the depths": with_blob("parts:stock", b"[" * 100_000),
    "rule 6: parts without a base": with_blob("parts:stock", b"{}"),
    "rule 6: a part that is no pair": with_blob("parts:stock", b'[1,{"1":[1,2,3]}]'),
    "rule 6: a part with a NUL": with_blob("parts:stock", b'[1,{"1\\u0000":[1,"2"]}]'),
    "rule 6: a part that nothing can store": with_blob("parts:stock", b'[1,{"1":[1,"\\ud800"]}]'),
    "rule 6: stamps that are no numbers": with_blob("saw", b"{1,a}"),
    "rule 6: stamps without a pair": with_blob("saw", b"{1,2,3}"),
}


@pytest.mark.parametrize("name", SECTIONS)
def test_an_unsound_section_is_refused(name: str) -> None:
    with pytest.raises(DecodeError):
        require_sound([SECTIONS[name]])

"""Sections and headers for Hypothesis: columns of every encoding, and of what only looks like one."""

from __future__ import annotations

import datetime
import uuid

from hypothesis import strategies as st

from replication.core.progress import Position
from replication.wire.columns import Values
from replication.wire.header import Header, Lineage, Part
from replication.wire.message import Section

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
LSN = st.integers(0, (1 << 64) - 1)
XID = st.integers(0, (1 << 32) - 1)
TEXT = st.text(max_size=12)
TOKEN = st.one_of(TEXT, st.binary(max_size=16).map(bytes.hex))


def _timestamp(when: datetime.datetime) -> str:
    text = when.strftime("%Y-%m-%d %H:%M:%S").rjust(19, "0")
    return text + f".{when.microsecond:06}".rstrip("0") if when.microsecond else text


TIMES = st.datetimes(min_value=datetime.datetime(1, 1, 1)).map(_timestamp)  # noqa: DTZ001
NUMBERS = st.one_of(st.integers(), st.decimals(allow_nan=False, places=2), st.decimals()).map(lambda n: f"{n:f}")
_NEAR_NUMBERS = st.text("0123456789.-+", max_size=21)
_NEAR_TIMES = st.one_of(
    st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{0,7})?", fullmatch=True),
    st.tuples(TIMES, st.integers(0, 25), st.sampled_from("0193-: .+\0")).map(
        lambda t: t[0][: t[1]] + t[2] + t[0][t[1] + 1 :]
    ),
)
_NEAR_UUIDS = st.from_regex(r"[0-9a-fA-F]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}[-0][0-9a-g]{12}", fullmatch=True)
_KINDS = (
    st.binary(max_size=30),
    st.uuids().map(str),
    _NEAR_UUIDS,
    TIMES,
    TIMES.map(lambda text: text + "+00"),
    _NEAR_TIMES,
    _NEAR_TIMES.map(lambda text: text + "+00"),
    NUMBERS,
    _NEAR_NUMBERS,
    st.integers(0, 9999).map(lambda n: f"+886-%d-{n}"),
    st.integers(0, 9999).map(lambda n: f"09{n:04}"),
    st.sampled_from(["t", "f"]),
    st.just("always the same"),
)


@st.composite
def columns(draw: st.DrawFn, rows: int) -> Values:
    """A column of one kind, often with NULLs, sometimes with a value of another kind among them."""
    kind = draw(st.sampled_from(_KINDS))
    cell = draw(st.sampled_from([kind, st.one_of(kind, st.none()), st.one_of(*_KINDS)]))
    values = draw(st.lists(cell, min_size=rows, max_size=rows))
    return [value.encode() if isinstance(value, str) else value for value in values]


def integers(rows: int) -> st.SearchStrategy[list[int]]:
    cell = st.one_of(INT64, st.integers(-3, 3), st.integers(0, 1 << 20).map(lambda n: n << 10 | 3))
    return st.lists(cell, min_size=rows, max_size=rows)


@st.composite
def sections(draw: st.DrawFn) -> Section:
    rows = draw(st.one_of(st.integers(0, 5), st.integers(20, 70)))
    names = tuple(draw(st.lists(TEXT, max_size=4)))
    return Section(
        draw(st.tuples(TEXT, TEXT)),
        draw(st.sampled_from("IUD")),
        names,
        draw(st.integers(0, len(names))),
        [draw(columns(rows)) for _ in names],
        draw(integers(rows)),
        draw(integers(rows)),
        draw(st.dictionaries(TEXT, integers(rows), max_size=2)),
        draw(st.dictionaries(TEXT, columns(rows), max_size=2)),
    )


def every_encoding() -> Section:
    """A section with each way to write a column in it, and NULLs."""
    rows = 40
    stamps = [(848_000_000_000_000 + 20_000 * row + row * row) << 10 | 1 for row in range(rows)]
    values: dict[str, Values] = {
        "uuid": [
            str(uuid.UUID(int=(row + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128))).encode()
            for row in range(rows)
        ],
        "none": [None] * rows,
        "constant": [b"x"] * rows,
        "choice": [b"t" if row % 3 else b"f" for row in range(rows)],
        "time": [f"2026-11-15 10:{row % 60:02}:00.5+00".encode() for row in range(rows)],
        "money": [None if row % 7 == 0 else b"%d.%02d" % (row * row, row) for row in range(rows)],
        "name": [f"陳志明{row}".encode() for row in range(rows)],
        "padded": [b"09%04d" % (row * 251) for row in range(rows)],
        "text": [b"no pattern " + bytes([65 + row]) * (row % 5) for row in range(rows)],
    }
    seen = [stamp - (row << 20) if row % 2 else 0 for row, stamp in enumerate(stamps)]
    extra, blobs = {"life": [*range(rows)]}, {"saw": values["text"]}
    return Section(("public", "every"), "I", tuple(values), 1, [*values.values()], stamps, seen, extra, blobs)


HEADERS = st.builds(
    Header,
    origin=st.just("taipei"),
    incarnation=TOKEN,
    kind=st.sampled_from(["changes", "part", "heartbeat", "start"]),
    from_lsn=LSN,
    to_lsn=LSN,
    xid=XID,
    first_commit_us=INT64,
    last_commit_us=INT64,
    published_us=INT64,
    clock_us=INT64,
    transactions=XID,
    changes_total=XID,
    rules_version=TOKEN,
    positions=st.dictionaries(TEXT, st.builds(Position, TOKEN, LSN, XID, INT64), max_size=3),
    claims=st.dictionaries(TEXT, LSN, max_size=3),
    part=st.none() | st.builds(Part, XID, XID, st.booleans()),
    lineage=st.lists(st.builds(Lineage, TOKEN, LSN), max_size=3),
    records=XID,
)

"""What is canonical is found and written small; what only looks so is kept byte by byte."""

import datetime
import random
import uuid
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.core.progress import Position
from replication.wire import numbers, times
from replication.wire.binary import BodyReader, BodyWriter
from replication.wire.columns import Values, read_values, write_values
from replication.wire.header import Header
from replication.wire.integers import Int64s, read_integers, read_stamps, write_integers, write_stamps
from replication.wire.message import PACKED_LEVEL, Section, encode
from replication.wire.signing import Signer
from tests.wire.sections import INT64, TIMES

EPOCH = datetime.datetime(2000, 1, 1)  # noqa: DTZ001 - the column is in UTC throughout


def lengths(values: list[bytes]) -> Int64s:
    return np.array([len(value) for value in values], np.int64)


def parsed_numbers(values: list[bytes]) -> numbers.Shape | None:
    parsed = numbers.parse(values, b"".join(values), lengths(values), numbers.shared_prefix(values))
    if parsed is None:
        return None
    assert numbers.render(*parsed) == values
    return parsed[1]


@given(st.lists(TIMES, min_size=1, max_size=5), st.booleans())
def test_a_canonical_timestamp_is_a_number_of_microseconds(texts: list[str], zoned: bool) -> None:
    values = [(text + "+00" * zoned).encode() for text in texts]
    parsed = times.parse(values, lengths(values))
    assert parsed is not None
    expected = [(datetime.datetime.fromisoformat(text) - EPOCH) // datetime.timedelta(microseconds=1) for text in texts]
    assert parsed[0].tolist() == expected
    assert times.render(*parsed) == values


@pytest.mark.parametrize(
    "text",
    [
        b"infinity",
        b"0044-03-15 10:00:00 BC",
        b"2026-02-29 10:00:00+00",
        b"2026-00-10 10:00:00+00",
        b"2026-13-10 10:00:00+00",
        b"2026-01-10 24:00:00+00",
        b"2026-01-10 23:59:60+00",
        b"2026-01-10 10:00:00.10+00",
        b"2026-01-10 10:00:00.+00",
        b"2026-01-10 10:00:00+08",
        b"2026-01-10T10:00:00+00",
        b"2026-01-10 10:00:00.1234567",
        b"2026-01-10",
        b"12026-01-10 10:00:00+00",
        b"2026-01-10 1\xb20:00:00",
    ],
)
def test_any_other_time_is_left_as_text(text: bytes) -> None:
    assert times.parse([text], lengths([text])) is None
    pair = [b"2026-01-10 10:00:00+00", text]
    assert times.parse(pair, lengths(pair)) is None


@given(st.lists(st.integers(-(10**17), 10**17), min_size=1, max_size=6), st.integers(0, 6))
def test_numbers_of_one_scale_are_numbers(amounts: list[int], scale: int) -> None:
    values = [f"{Decimal(amount).scaleb(-scale):.{scale}f}".encode() for amount in amounts]
    assert parsed_numbers(values) is not None


@pytest.mark.parametrize(
    ("values", "shape"),
    [
        ([b"+886-2-1234567", b"+886-2-99"], (b"+886-2-", 0, 0)),
        ([b"0912345678", b"0987654321"], (b"", 0, 10)),
        ([b"-1.50", b"-1.25"], (b"-", 2, 0)),
        ([b"0.05", b"-0.05"], (b"", 2, 0)),
        (["陳志明1".encode(), "陳志明20".encode()], ("陳志明".encode(), 0, 0)),
        ([b"100%1", b"100%2"], (b"100%", 0, 0)),
        ([b"1000", b"100"], (b"", 0, 0)),
    ],
)
def test_the_shape_of_a_column_of_numbers(values: list[bytes], shape: tuple[bytes, int, int]) -> None:
    assert parsed_numbers(values) == shape


@pytest.mark.parametrize(
    "values",
    [
        [b"007", b"12"],
        [b"-0", b"1"],
        [b"-0.00", b"1.00"],
        [b"1.5", b"1.25"],
        [b".5", b"1.5"],
        [b"+5", b"1"],
        [b"5.", b"1."],
        [b"1e5", b"1"],
        [b"NaN", b"1"],
        [b"a", b"a1"],
        [b"", b"1"],
        [b"1234567890123456789", b"1"],
        [b"1\xb9", b"1"],
        [b"1-2", b"123"],
    ],
)
def test_what_a_number_would_not_give_back_is_left_as_text(values: list[bytes]) -> None:
    assert parsed_numbers(values) is None
    assert parsed_numbers(values[::-1]) is None


@given(st.lists(INT64, max_size=80), st.booleans())
def test_any_int64_comes_back_whatever_it_was_predicted_from(values: list[int], based: bool) -> None:
    column = np.array(values, np.int64)
    base = column[::-1].copy() if based else None
    out = BodyWriter()
    write_integers(out, column, base)
    write_stamps(out, column, base)
    body = BodyReader(*out.zones())
    assert read_integers(body, len(values), base).tolist() == values
    assert read_stamps(body, len(values), base).tolist() == values
    body.end()


def size(values: Values) -> int:
    out = BodyWriter()
    base = np.arange(len(values), dtype=np.int64)
    write_values(out, values, base)
    zones = out.zones()
    assert read_values(BodyReader(*zones), len(values), base) == values
    return sum(map(len, zones))


@pytest.mark.parametrize(
    ("values", "most"),
    [
        pytest.param([b"the same"] * 1000, 15, id="constant"),
        pytest.param([None] * 1000, 5, id="nulls"),
        pytest.param([b"%d" % (7 + 1024 * row) for row in range(1000)], 25, id="identity keys of one site"),
        pytest.param([b"t" if row % 3 else b"f" for row in range(1000)], 1020, id="few choices"),
        pytest.param([str(uuid.UUID(int=row)).encode() for row in range(1000)], 16_010, id="uuids"),
        pytest.param(
            [b"2017-01-01 %02d:%02d:00" % divmod(row * 7 % 1440, 60) for row in range(1000)], 2040, id="minutes"
        ),
        pytest.param([None if row % 2 else b"+886-2-%07d" % (row * 9973) for row in range(1000)], 1650, id="phones"),
    ],
)
def test_a_column_takes_few_bytes(values: Values, most: int) -> None:
    assert size(values) <= most


def stamps(rows: int, chance: random.Random) -> list[int]:
    moment = 848_000_000_000_000
    return [(moment := moment + 20_000 + chance.randrange(-5000, 5000)) << 10 | 1 for _ in range(rows)]


def benchmark_section(op: str, rows: int) -> Section:
    """The table of the replication benchmarks (design.md §7), written at 50 changes a second."""
    chance = random.Random(rows)
    moments = stamps(rows, chance)
    updated = [(EPOCH + datetime.timedelta(microseconds=moment >> 10)).isoformat(" ") + "+00" for moment in moments]
    values: dict[str, list[str]] = {
        "id": [str(uuid.UUID(int=chance.getrandbits(128))) for _ in moments],
        "phone": [f"+886-2-{chance.randrange(10**7)}" for _ in moments],
        "updated": [text.rstrip("0") if "." in text else text for text in updated],
    }
    if op == "I":
        values["name"] = [f"陳志明{chance.randrange(100_000)}" for _ in moments]
        values["credit"] = [f"{chance.randrange(10**8) / 100:.2f}" for _ in moments]
        values["tags"] = ['{"src": "expo"}'] * rows
        values["note"] = ["展覽會上認識的潛在客戶對新產品很有興趣請儘快聯絡他"] * rows
    seen = [0 if op == "I" else moments[0] - (chance.randrange(10**9) << 10) for _ in moments]
    columns = [[text.encode() for text in column] for column in values.values()]
    return Section(("public", "customer"), op, tuple(values), 1, columns, moments, seen)  # type: ignore[arg-type, unused-ignore]


@pytest.mark.parametrize("rows", [100, 250])
@pytest.mark.parametrize(("op", "most"), [("U", 34), ("I", 38)])
def test_a_change_takes_few_bytes_with_header_and_signature(taipei: Signer, op: str, most: int, rows: int) -> None:
    token = random.Random(1).randbytes(16).hex()
    positions = {site: Position(token, 1 << 35, 1 << 20, 1) for site in ("kaohsiung", "shanghai", "us")}
    header = Header(
        "taipei", token, "changes", 1 << 36, (1 << 36) + 30_000, 7, rules_version=token, positions=positions
    )
    body = encode(header, [benchmark_section(op, rows)], taipei, PACKED_LEVEL)
    assert len(body) / rows <= most

"""A message between sites: a run of one origin's whole transactions, or a part of a large one.

FORMAT.md beside this file is the page for readers; this is the whole of it::

    message    "KUR", format version u8, varint + header, varint + plan, zone, zone, signature (64 bytes)
    plan       for each of the two zones: coding u8 (0 as it is, 1 one zstd frame), its size when decoded, its size here
    1st zone   varint + meta, then the loose data           2nd zone   the dense data       (``binary``)
    meta       number of sections, then for each section
               schema, table, op u8, number of rows, of columns, of key columns, the columns' names;
               the stamps; the seen stamps; each column of values; number of extra columns, each: name, integers;
               number of blob columns, each: name, values
                                                                   (``header``, ``integers``, ``columns``)

1. A message is a function of header, sections and level: equal input gives equal bytes.
2. The signature is over everything before it and is checked before anything is decompressed or built from it.
3. A message is at most ``MAX_MESSAGE`` bytes; its body ``MAX_BODY`` bytes, ``MAX_ROWS`` rows, ``MAX_CELLS`` cells and
   ``MAX_TEXT`` bytes of values, which both sides check: whoever signed it, it takes less than 1 GB to read.
4. What is malformed raises :class:`DecodeError` and nothing else.
5. Values are PostgreSQL's text form, kept byte by byte; NULL is None and not the empty string. Nothing passes through a
   float.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import numpy as np
import zstandard

from replication.errors import DecodeError, InvariantError, OversizedError
from replication.wire.binary import MAX_BODY, BodyReader, BodyWriter, Reader, Writer
from replication.wire.columns import Values, read_values, write_values
from replication.wire.header import (
    FORMAT_VERSION,
    Header,
    read_header_bytes,
    read_origin,
    write_header,
)
from replication.wire.integers import (
    Int64s,
    microseconds,
    read_integers,
    read_stamps,
    write_integers,
    write_stamps,
)
from replication.wire.signing import SIGNATURE_SIZE

MAX_ROWS: Final = 1_000_000
MAX_CELLS: Final = 8_000_000
MAX_MESSAGE: Final = MAX_BODY + (2 << 20)
"""Most bytes of a message: a body that does not compress, with its head. What is larger is not even looked at."""
MAX_HEAD: Final = 1 << 20
SENT_LSN: Final = "lsn"
"""The extra integers of rows that may have been sent before: where their transaction committed; 0 for the others."""
COMMIT_LSN: Final = "commit"
"""The extra integers of deletes: where their transaction committed."""
REFERENTIAL: Final = "referential"
"""The extra integers of deletes that the database made with the delete of a parent: 1."""
PARTS_OF: Final = "parts:"
"""The blobs of cells with parts: JSON, [moment of the row's insert, the parts]; the column's name follows."""
MASK_OF: Final = "mask:"
"""The extra integers of cells that stand for values which must not leave: 1; the column's name follows."""
MOMENT_OF: Final = "moment:"
"""The extra integers of a whole row's cells that were edited since its insert: when; the column's name follows."""
WHOLE: Final = "whole"
"""The extra integers of whole rows, which travel because who may see them has changed."""
LIVE_LEVEL: Final = 1
PACKED_LEVEL: Final = 9

Op = Literal["I", "U", "D"]
Sign = Callable[[bytes], bytes]
Verify = Callable[[str, bytes, bytes], None]

_MAGIC: Final = b"KUR"
_SECTION_CELLS: Final = 128
"""What a section takes beside its cells: as much as so many of them."""
_OPS: Final[dict[int, Op]] = {ord("I"): "I", ord("U"): "U", ord("D"): "D"}


@dataclass(slots=True)
class Section:
    """Changes of one table, one operation and one set of columns, in columns; all lists are as long as ``moments``."""

    table: tuple[str, str]
    """Schema and name, unquoted."""
    op: Op
    columns: tuple[str, ...]
    """The key columns first, then: all (I), those that changed (U), none (D)."""
    key_count: int
    values: list[Values]
    """For each column a list with the value of each row, in PostgreSQL's text form."""
    moments: list[int]
    """For each row the stamp of this change: hlc in µs since 2000 << 10 | site number."""
    seen: list[int]
    """For each row the newest stamp that the author saw in it, 0 for none."""
    extra: dict[str, list[int]] = field(default_factory=dict)
    """Named int64 columns, absent where the default holds for all rows."""
    blobs: dict[str, Values] = field(default_factory=dict)
    """Named columns of bytes."""


class Message(NamedTuple):
    """A verified message."""

    header: Header
    sections: list[Section]


def encode(header: Header, sections: Sequence[Section], sign: Sign, level: int = LIVE_LEVEL) -> bytes:
    """The signed message; ``level`` is zstd's."""
    body = BodyWriter()
    body.uint(len(sections))
    budget = _Budget(InvariantError)
    for section in sections:
        _write_section(body, section, budget)
    head = Writer()
    head.raw(write_header(header))
    if len(head.buffer) > MAX_HEAD:
        raise InvariantError(f"a header of {len(head.buffer)} bytes, at most {MAX_HEAD} may be")
    plan = Writer()
    zones = [_pack(plan, zone, level) for zone in body.zones()]
    head.raw(bytes(plan.buffer))
    signed = b"".join((_MAGIC, bytes((FORMAT_VERSION,)), head.buffer, *zones))
    return signed + sign(signed)


def _pack(plan: Writer, zone: bytes, level: int) -> bytes:
    packed = zstandard.ZstdCompressor(level, write_checksum=False).compress(zone)
    shrinks = len(packed) < len(zone)
    plan.byte(shrinks)
    plan.uint(len(zone))
    plan.uint(len(packed) if shrinks else len(zone))
    return packed if shrinks else zone


def _write_section(out: BodyWriter, section: Section, budget: _Budget) -> None:
    rows = len(section.moments)
    _check_shape(section, rows)
    budget.spend(rows, _width(section))
    for name in section.table:
        out.text(name)
    out.byte(ord(section.op))
    for count in (rows, len(section.columns), section.key_count):
        out.uint(count)
    for name in section.columns:
        out.text(name)
    moments = _int64s(section.moments)
    base = microseconds(moments)
    write_stamps(out, moments, None)
    write_stamps(out, _int64s(section.seen), base)
    for values in section.values:
        write_values(out, values, base)
    out.uint(len(section.extra))
    for name, numbers in sorted(section.extra.items()):
        out.text(name)
        write_integers(out, _int64s(numbers))
    out.uint(len(section.blobs))
    for name, values in sorted(section.blobs.items()):
        out.text(name)
        write_values(out, values, base)


def _check_shape(section: Section, rows: int) -> None:
    lists: tuple[Sequence[object], ...] = (
        section.seen,
        *section.values,
        *section.extra.values(),
        *section.blobs.values(),
    )
    if any(len(column) != rows for column in lists):
        raise InvariantError(f"columns of different lengths in a section of {section.table}")
    if len(section.values) != len(section.columns) or section.key_count > len(section.columns):
        raise InvariantError(f"columns and their names differ in a section of {section.table}")


def _int64s(numbers: Sequence[int]) -> Int64s:
    try:
        return np.array(numbers, np.int64)
    except OverflowError as fault:
        raise InvariantError("a number that is no int64") from fault


def _width(section: Section) -> int:
    return 2 + len(section.columns) + len(section.extra) + len(section.blobs)


class _Budget:
    """Counts rows and cells of a message against their limits."""

    def __init__(self, error: type[OversizedError | InvariantError]) -> None:
        self._error = error
        self._rows = MAX_ROWS
        self._cells = MAX_CELLS

    def spend(self, rows: int, width: int) -> None:
        self._rows -= rows
        self._cells -= _SECTION_CELLS
        self.spend_columns(rows, width)

    def spend_columns(self, rows: int, width: int) -> None:
        """A column without rows has a name."""
        self._cells -= max(rows, 1) * width
        if self._rows < 0 or self._cells < 0:
            raise self._error(f"a message of more than {MAX_ROWS} rows or {MAX_CELLS} cells")


def read_header(body: bytes | memoryview, verify: Verify) -> tuple[Header, memoryview]:
    """The verified header, and the still packed rest for :func:`decode_sections`."""
    if len(body) > MAX_MESSAGE:
        raise OversizedError(f"a message of {len(body)} bytes, at most {MAX_MESSAGE} may be")
    signed = bytes(body[:-SIGNATURE_SIZE])
    if signed[: len(_MAGIC)] != _MAGIC:
        raise DecodeError("not a Kuroshio message")
    message = Reader(signed[len(_MAGIC) :])
    if (version := message.byte()) != FORMAT_VERSION:
        raise DecodeError(f"message of format version {version}, this site reads {FORMAT_VERSION}")
    if (size := message.uint()) > MAX_HEAD:
        raise OversizedError(f"a header of {size} bytes, at most {MAX_HEAD} may be")
    head = bytes(message.take(size))
    verify(read_origin(head), signed, bytes(body[-SIGNATURE_SIZE:]))
    return read_header_bytes(head), message.rest


def decode(body: bytes | memoryview, verify: Verify) -> Message:
    """The verified message."""
    header, rest = read_header(body, verify)
    return Message(header, decode_sections(rest))


def decode_sections(rest: memoryview) -> list[Section]:
    """The sections of a message whose header was read, and so verified, before."""
    packed = Reader(rest)
    plan = Reader(packed.raw())
    coded = [(plan.byte(), plan.uint(), plan.uint()) for _ in range(2)]
    if sum(size for _, size, _ in coded) > MAX_BODY:
        raise OversizedError(f"a body of more than {MAX_BODY} bytes")
    loose, dense = (_unpack(packed.take(here), coding, size) for coding, size, here in coded)
    plan.end()
    packed.end()
    body = BodyReader(loose, dense)
    try:
        sections = _read_sections(body)
    except (ValueError, IndexError, OverflowError) as fault:
        raise DecodeError(f"malformed section: {fault}") from fault
    body.end()
    return sections


def _unpack(data: memoryview, coding: int, size: int) -> bytes:
    if coding == 0 and len(data) == size:
        return bytes(data)
    if coding != 1:
        raise DecodeError(f"zone of coding {coding}")
    try:
        if zstandard.get_frame_parameters(data).content_size != size:
            raise DecodeError("zone of another size than declared")
        return zstandard.ZstdDecompressor().decompress(data, size, allow_extra_data=False)
    except zstandard.ZstdError as fault:
        raise DecodeError(f"zone cannot be decompressed: {fault}") from fault


def _read_sections(body: BodyReader) -> list[Section]:
    budget = _Budget(OversizedError)
    return [_read_section(body, budget) for _ in range(body.uint())]


def _read_section(body: BodyReader, budget: _Budget) -> Section:
    table = (body.text(), body.text())
    op = _OPS.get(body.byte())
    rows, width, key_count = body.uint(), body.uint(), body.uint()
    if op is None or key_count > width:
        raise DecodeError("section of an unknown operation or shape")
    budget.spend(rows, width + 2)
    columns = tuple(body.text() for _ in range(width))
    moments = read_stamps(body, rows, None)
    base = microseconds(moments)
    seen = read_stamps(body, rows, base)
    values = [read_values(body, rows, base) for _ in columns]
    section = Section(table, op, columns, key_count, values, moments.tolist(), seen.tolist())
    for _ in range(body.uint()):
        budget.spend_columns(rows, 1)
        name = body.text()
        section.extra[name] = read_integers(body, rows).tolist()
    for _ in range(body.uint()):
        budget.spend_columns(rows, 1)
        name = body.text()
        section.blobs[name] = read_values(body, rows, base)
    return section

"""A snapshot as a file: frames that are checked one by one, signed as a whole by the site that it was taken at. Pure.

::

    file      "KUROSNAP", version u16, then frames, integers in network order
    frame     kind u8, size u32, CRC-32 of the payload u32, payload
    header    'H'  JSON: donor, the positions, the tables (Header)
    chunk     'C'  part u16, rows u32, then whole lines of PostgreSQL's COPY text, as one zstd frame
    end       'E'  JSON: how many chunks, and rows of each part
    signature 'S'  64 bytes: Ed25519 over a prefix of our own and the SHA-256 of everything before this frame

1. Nothing of a file is used before its signature was checked, which reads it once from end to end; and then only what
   was checked, whatever has become of the file since.
2. A chunk holds whole rows of one part, so loading may end and go on between any two of them.
"""

import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO, Self

import zstandard

from replication.errors import DecodeError
from replication.wire.signing import SIGNATURE_SIZE

VERSION = 1
CHUNK_BYTES = 1 << 20
"""Of text; compressed it is a tenth of that or less."""
LEVEL = 9
_MAGIC = b"KUROSNAP" + struct.pack("!H", VERSION)
_FRAME = struct.Struct("!cII")
_CHUNK = struct.Struct("!HI")
_SIGNED = b"kuroshio snapshot\0"
_MOST_BYTES = 1 << 30
"""PostgreSQL's own bound on one value."""


@dataclass(frozen=True, slots=True)
class Part:
    """One table in a snapshot: a replicated one, by its columns' first names, or one of replication's own."""

    schema: str
    name: str
    columns: tuple[str, ...]
    is_own: bool = False
    dropped: tuple[str, ...] = ()
    """Columns that are not waited for any more."""
    derived: Any = None
    """The rules under which what it shows was derived."""

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Header:
    """What stands at the head of a snapshot."""

    donor: str
    token: str
    """Names this snapshot: what was loaded of one is not continued with another."""
    taken_at: str
    view: str
    """The name of what the donor may see, and who is seeded from it (replication/core/views.py)."""
    positions: dict[str, dict[str, Any]]
    """Origin -> its row of kuroshio.position, the donor's own among them."""
    claims: dict[str, dict[str, str]]
    """Reader -> origin -> LSN: what each site has said that it has passed (replication/postgres/tombstones.py)."""
    parts: tuple[Part, ...] = field(default=())

    def pack(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=False).encode()

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        try:
            known = json.loads(payload)
            parts = tuple(_part(**part) for part in known.pop("parts"))
            return cls(**known, parts=parts)
        except (ValueError, TypeError, KeyError) as fault:
            raise DecodeError(f"the header of the snapshot cannot be read: {fault}") from fault


def _part(columns: list[str], dropped: list[str], **rest: Any) -> Part:
    return Part(columns=tuple(columns), dropped=tuple(dropped), **rest)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of one part."""

    number: int
    part: int
    rows: int
    packed: bytes
    end: int
    """The place in the file behind it."""

    def text(self) -> bytes:
        """The rows as COPY reads them."""
        try:
            return zstandard.ZstdDecompressor().decompress(self.packed, _MOST_BYTES, allow_extra_data=False)
        except zstandard.ZstdError as fault:
            raise DecodeError(f"chunk {self.number} of the snapshot cannot be unpacked: {fault}") from fault


class SnapshotWriter:
    """Writes one snapshot from its header to its signature, holding no more than a chunk."""

    def __init__(self, file: BinaryIO, header: Header, sign: Callable[[bytes], bytes]) -> None:
        self._file = file
        self._sign = sign
        self._digest = hashlib.sha256()
        self._compressor = zstandard.ZstdCompressor(LEVEL, write_checksum=False)
        self._rows = [0] * len(header.parts)
        self._chunks = 0
        self._put(_MAGIC)
        self._frame(b"H", header.pack())

    def chunk(self, part: int, rows: int, text: bytes) -> None:
        """Add rows of a part."""
        self._frame(b"C", _CHUNK.pack(part, rows) + self._compressor.compress(text))
        self._rows[part] += rows
        self._chunks += 1

    def finish(self) -> int:
        """Sign; return how many rows there are."""
        self._frame(b"E", json.dumps({"chunks": self._chunks, "rows": self._rows}).encode())
        self._frame(b"S", self._sign(_SIGNED + self._digest.digest()))
        return sum(self._rows)

    def _frame(self, kind: bytes, payload: bytes) -> None:
        self._put(_FRAME.pack(kind, len(payload), zlib.crc32(payload)))
        self._put(payload)

    def _put(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a file whose signature holds."""

    header: Header
    digests: tuple[bytes, ...]
    """Of its chunks, in their order."""
    bytes: int
    rows: int


def check(file: BinaryIO, verify: Callable[[str, bytes, bytes], None]) -> Contents:
    """Read a file from end to end. Raises :class:`DecodeError` where it is damaged or cut off, or not its donor's."""
    digest = hashlib.sha256()
    frames = _frames(file, digest.update)
    kind, payload = next(frames, (b"", b""))
    if kind != b"H":
        raise _refused("it has no header")
    header = Header.unpack(payload)
    digests, rows, before, ended = list[bytes](), 0, b"", False
    for kind, payload in frames:
        if kind == b"S" and ended and len(payload) == SIGNATURE_SIZE:
            verify(header.donor, _SIGNED + before, payload)
            return Contents(header, tuple(digests), file.tell(), rows)
        if kind == b"C" and not ended and len(payload) >= _CHUNK.size:
            digests.append(hashlib.sha256(payload).digest())
            rows += _CHUNK.unpack_from(payload)[1]
        elif kind == b"E" and not ended:
            ended, before = True, digest.digest()
        else:
            raise _refused("its frames are not in their order")
    raise _refused("it is cut off before its signature")


def chunks(file: BinaryIO, checked: Contents, after: int) -> Iterator[Chunk]:
    """The chunks of a checked file, without the first ``after``. Raises :class:`DecodeError` where the file has
    changed."""
    number = 0
    for kind, payload in _frames(file, lambda _: None):
        if kind == b"C":
            if checked.digests[number : number + 1] != (hashlib.sha256(payload).digest(),):
                break
            number += 1
            if number > after:
                part, rows = _CHUNK.unpack_from(payload)
                yield Chunk(number, part, rows, payload[_CHUNK.size :], file.tell())
    if number < len(checked.digests):
        raise _refused("it was changed while it was being loaded")


def _frames(file: BinaryIO, seen: Callable[[bytes], None]) -> Iterator[tuple[bytes, bytes]]:
    file.seek(0)
    magic = file.read(len(_MAGIC))
    if magic != _MAGIC:
        raise _refused("it is no snapshot of this version")
    seen(magic)
    while head := file.read(_FRAME.size):
        if len(head) < _FRAME.size:
            raise _refused("it is cut off")
        kind, size, crc = _FRAME.unpack(head)
        payload = file.read(size) if size <= _MOST_BYTES else b""
        if len(payload) < size or zlib.crc32(payload) != crc:
            raise _refused("it is damaged or cut off")
        if kind != b"S":
            seen(head)
            seen(payload)
        yield kind, payload


def _refused(reason: str) -> DecodeError:
    return DecodeError(f"the snapshot cannot be used: {reason}")

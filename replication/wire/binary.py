"""The bytes below a message: varints, texts, and the two zones that a message's body is written to and read from.

A *varint* is little-endian base 128, the high bit says that more follows; a *signed* one is zigzag
(0, -1, 1, -2, … are 0, 1, 2, 3, …). A *token* is a text that is often hexadecimal (incarnations,
versions): twice its length, plus one if it is stored as the bytes that its digits say.

A body has three streams. ``meta`` says what is where; ``loose`` holds what compresses (texts, skewed
bytes), ``dense`` what does not (UUIDs, the low bytes of integers). They are kept apart because one
Huffman table over both would serve neither. Meta and loose travel as one zone, dense as the other.
"""

from __future__ import annotations

from typing import Final

from replication.errors import DecodeError, InvariantError, OversizedError

MAX_BODY: Final = 64 << 20
"""Most bytes that a body has before compression: more is refused on both sides, so no small message explodes."""
MAX_TEXT: Final = 256 << 20
"""Most bytes that all values of a body have as text: a constant or a prefix is written once for any number of rows."""

_VARINT_BYTES: Final = 10


class Writer:
    """Appends fields to a growing buffer."""

    def __init__(self) -> None:
        self.buffer = bytearray()

    def byte(self, value: int) -> None:
        self.buffer.append(value)

    def uint(self, value: int) -> None:
        if not 0 <= value < 1 << 7 * _VARINT_BYTES:
            raise InvariantError(f"{value} does not fit a varint")
        while value > 0x7F:
            self.buffer.append(value & 0x7F | 0x80)
            value >>= 7
        self.buffer.append(value)

    def sint(self, value: int) -> None:
        self.uint(value << 1 if value >= 0 else ~(value << 1))

    def raw(self, value: bytes) -> None:
        self.uint(len(value))
        self.buffer += value

    def text(self, value: str) -> None:
        self.raw(value.encode())

    def token(self, value: str) -> None:
        data = value.encode()
        digits = _hexadecimal(value)
        self.uint(len(data) << 1 | (digits is not None))
        self.buffer += data if digits is None else digits


def _hexadecimal(value: str) -> bytes | None:
    try:
        digits = bytes.fromhex(value)
    except ValueError:
        return None
    return digits if digits.hex() == value else None


class Reader:
    """Takes fields from a buffer; what is not there is a :class:`DecodeError`."""

    def __init__(self, buffer: bytes | memoryview) -> None:
        self._buffer = memoryview(buffer)
        self._place = 0

    @property
    def rest(self) -> memoryview:
        return self._buffer[self._place :]

    def take(self, size: int) -> memoryview:
        end = self._place + size
        if size < 0 or end > len(self._buffer):
            raise DecodeError(f"{size} bytes wanted, {len(self._buffer) - self._place} are there")
        taken = self._buffer[self._place : end]
        self._place = end
        return taken

    def end(self) -> None:
        if self._place != len(self._buffer):
            raise DecodeError(f"{len(self._buffer) - self._place} bytes too many")

    def byte(self) -> int:
        return self.take(1)[0]

    def uint(self) -> int:
        if self._place < len(self._buffer) and (byte := self._buffer[self._place]) < 0x80:
            self._place += 1
            return byte
        value = 0
        for shift in range(0, 7 * _VARINT_BYTES, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise DecodeError("varint without an end")

    def sint(self) -> int:
        value = self.uint()
        return value >> 1 ^ -(value & 1)

    def raw(self) -> bytes:
        return bytes(self.take(self.uint()))

    def text(self) -> str:
        return _utf8(self.raw())

    def token(self) -> str:
        size = self.uint()
        if size & 1:
            return self.take(size >> 2).hex()
        return _utf8(bytes(self.take(size >> 1)))


def _utf8(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as fault:
        raise DecodeError("text that is not UTF-8") from fault


class BodyWriter(Writer):
    """A body's meta, which is the writer itself, and its two data streams."""

    def __init__(self) -> None:
        super().__init__()
        self.loose: list[bytes] = []
        self.dense: list[bytes] = []
        self._text = MAX_TEXT

    def spend(self, text: int) -> None:
        """Count bytes of values against what a reader takes."""
        self._text -= text
        if self._text < 0:
            raise InvariantError(f"values of more than {MAX_TEXT} bytes")

    def zones(self) -> tuple[bytes, bytes]:
        head = Writer()
        head.uint(len(self.buffer))
        zones = b"".join((head.buffer, self.buffer, *self.loose)), b"".join(self.dense)
        size = sum(map(len, zones))
        if size > MAX_BODY:
            raise InvariantError(f"a body of {size} bytes, at most {MAX_BODY} may be")
        return zones


class BodyReader(Reader):
    """A body's meta, which is the reader itself, and its two data streams."""

    def __init__(self, loose: bytes, dense: bytes) -> None:
        zone = Reader(loose)
        super().__init__(zone.take(zone.uint()))
        self.loose = Reader(zone.rest)
        self.dense = Reader(dense)
        self._text = MAX_TEXT

    def spend(self, text: int) -> None:
        """Count bytes of values before they are made."""
        self._text -= text
        if self._text < 0:
            raise OversizedError(f"values of more than {MAX_TEXT} bytes")

    def end(self) -> None:
        super().end()
        self.loose.end()
        self.dense.end()

"""A letter of the control plane: a request from one site to another, or what the other says to it.

The page for readers is ``replication/control/README.md``; this is the whole of the format::

    letter    "KUC", format version u8, varint + head, varint + body, signature (64 bytes)
    head      sender, recipient, kind u8, the request's id (16 bytes), when it was sent (signed µs), size of the body
    body      one zstd frame of JSON: an object of plain values, never code

1. The signature is over everything before it and is checked before anything is decompressed or built from it. It names
   sender and recipient, so a letter is of no use to anybody else.
2. A body has at most ``MAX_BODY`` bytes, which both sides check.
3. What is malformed raises :class:`DecodeError` and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import zstandard

from replication.errors import DecodeError, InvariantError
from replication.wire.binary import Reader, Writer
from replication.wire.signing import SIGNATURE_SIZE

FORMAT_VERSION: Final = 1
MAX_BODY: Final = 1 << 20
ID_SIZE: Final = 16

Body = Mapping[str, Any]
"""What a request asks, or an answer says: what JSON can hold."""
Sign = Callable[[bytes], bytes]
Verify = Callable[[str, bytes, bytes], None]

_MAGIC: Final = b"KUC"
_LEVEL: Final = 9


class Kind(IntEnum):
    """What a letter is."""

    REQUEST = 1
    ANSWER = 2
    REFUSAL = 3


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter. Times are µs since 2000-01-01 UTC."""

    sender: str
    recipient: str
    kind: Kind
    id: bytes
    """Of the request; an answer bears that of what it answers."""
    sent_us: int
    body: Body


def encode(letter: Letter, sign: Sign) -> bytes:
    """The signed letter."""
    body = json.dumps(letter.body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    if len(body) > MAX_BODY:
        raise InvariantError(f"a letter of {len(body)} bytes: at most {MAX_BODY} are allowed")
    head = Writer()
    head.text(letter.sender)
    head.text(letter.recipient)
    head.byte(letter.kind)
    head.raw(letter.id)
    head.sint(letter.sent_us)
    head.uint(len(body))
    whole = Writer()
    whole.raw(bytes(head.buffer))
    whole.raw(zstandard.ZstdCompressor(_LEVEL, write_checksum=False).compress(body))
    signed = b"".join((_MAGIC, bytes((FORMAT_VERSION,)), whole.buffer))
    return signed + sign(signed)


def decode(data: bytes, verify: Verify) -> Letter:
    """The verified letter."""
    signed = data[:-SIGNATURE_SIZE]
    if signed[: len(_MAGIC)] != _MAGIC:
        raise DecodeError("not a letter of the control plane")
    whole = Reader(signed[len(_MAGIC) :])
    if (version := whole.byte()) != FORMAT_VERSION:
        raise DecodeError(f"letter of format version {version}, this site reads {FORMAT_VERSION}")
    head, packed = Reader(whole.raw()), whole.raw()
    whole.end()
    sender = head.text()
    verify(sender, signed, data[-SIGNATURE_SIZE:])
    recipient, kind, number, sent_us, size = head.text(), _kind(head.byte()), head.raw(), head.sint(), head.uint()
    head.end()
    if len(number) != ID_SIZE:
        raise DecodeError(f"a request's id has {ID_SIZE} bytes, not {len(number)}")
    return Letter(sender, recipient, kind, number, sent_us, _read_body(packed, size))


def _kind(number: int) -> Kind:
    try:
        return Kind(number)
    except ValueError:
        raise DecodeError(f"letter of kind {number}") from None


def _read_body(packed: bytes, size: int) -> Body:
    if size > MAX_BODY:
        raise DecodeError(f"a body of more than {MAX_BODY} bytes")
    try:
        if zstandard.get_frame_parameters(packed).content_size != size:
            raise DecodeError("body of another size than declared")
        text = zstandard.ZstdDecompressor().decompress(packed, size, allow_extra_data=False)
        body = json.loads(text)
    except (zstandard.ZstdError, ValueError, RecursionError) as fault:
        raise DecodeError(f"malformed body: {type(fault).__name__}") from fault
    if not isinstance(body, dict):
        raise DecodeError("a body that is no object")
    return body

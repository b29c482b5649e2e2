"""Whole columns as query parameters: arrays in PostgreSQL's binary form, so that one statement takes a batch.

``unnest`` of such arrays does the work of a staging table, without its writes and its vacuum; the values stay text, and
the statement casts them.
"""

from collections.abc import Sequence
from struct import Struct

import numpy as np
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEADER = Struct(">iiIii")
_LENGTH = Struct(">i").pack
_NULL = _LENGTH(-1)
_TEXT, _BIGINT = 25, 20
_EMPTY = Struct(">iiI")


class TextArray:
    """A column of values in text form, NULL as None."""

    __slots__ = ("values",)

    def __init__(self, values: Sequence[bytes | None]) -> None:
        self.values = values


class BigintArray:
    """A column of 64-bit integers."""

    __slots__ = ("values",)

    def __init__(self, values: Sequence[int]) -> None:
        self.values = values


class _TextArrayDumper(Dumper):
    format = Format.BINARY
    oid = 1009

    def dump(self, obj: TextArray) -> bytes:
        values = obj.values
        if not values:
            return _EMPTY.pack(0, 0, _TEXT)
        parts: list[bytes] = [_HEADER.pack(1, 1, _TEXT, len(values), 1)]
        for value in values:
            if value is None:
                parts.append(_NULL)
            else:
                parts.append(_LENGTH(len(value)))
                parts.append(value)
        return b"".join(parts)


_BIGINT_ELEMENT = np.dtype([("length", ">i4"), ("value", ">i8")])


class _BigintArrayDumper(Dumper):
    format = Format.BINARY
    oid = 1016

    def dump(self, obj: BigintArray) -> bytes:
        if not obj.values:
            return _EMPTY.pack(0, 0, _BIGINT)
        elements = np.empty(len(obj.values), _BIGINT_ELEMENT)
        elements["length"] = 8
        elements["value"] = obj.values
        return _HEADER.pack(1, 0, _BIGINT, len(obj.values), 1) + elements.tobytes()


def register(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Let this connection take the two kinds of columns."""
    connection.adapters.register_dumper(TextArray, _TextArrayDumper)
    connection.adapters.register_dumper(BigintArray, _BigintArrayDumper)

"""Columns of 64-bit integers as few bytes: predict, subtract, divide, cut into byte planes.

The residual of each value against a prediction (none, the value before it, or another column of the
same rows) is taken modulo 2^64, the least residual is subtracted, the greatest common divisor divided
out, and the bytes of what remains written plane by plane: all lowest bytes, then all second ones …
Planes that look random go to the dense zone, skewed ones to the loose zone, where they compress.

In meta: ``prediction | planes << 2 | (divisor > 1) << 6``, the least residual (signed), the divisor if
above one, a bit for each dense plane if there are planes; before that, for PREVIOUS, the first value.
A column without rows writes nothing. A constant column, or one of constant steps, has no planes.
"""

from __future__ import annotations

from math import gcd
from typing import Final

import numpy as np
from numpy.typing import NDArray

from replication.errors import DecodeError
from replication.wire.binary import BodyReader, BodyWriter

Int64s = NDArray[np.int64]
_Uint64s = NDArray[np.uint64]

_NONE: Final = 0
_PREVIOUS: Final = 1
_BASE: Final = 2
_MASK64: Final = (1 << 64) - 1
_SITE_BITS: Final = 10
_SITE_MASK: Final = (1 << _SITE_BITS) - 1


def write_stamps(out: BodyWriter, stamps: Int64s, base: Int64s | None) -> None:
    """Stamps (hlc µs << 10 | site): the sites, then the times, predicted from ``base`` (in µs) if that is given.

    Zeros, which stand for "none", are left out, and a bitmap says where, if there are other values too.
    """
    present = stamps != 0
    some = int(np.count_nonzero(present))
    sparse = 0 < some < len(stamps)
    out.byte(sparse)
    if sparse:
        out.loose.append(np.packbits(present).tobytes())
        stamps = stamps[present]
        base = None if base is None else base[present]
    write_integers(out, stamps & _SITE_MASK)
    write_integers(out, stamps >> _SITE_BITS, base)


def read_stamps(body: BodyReader, count: int, base: Int64s | None) -> Int64s:
    """What :func:`write_stamps` wrote."""
    if not body.byte():
        return _read_stamps(body, count, base)
    present = read_bitmap(body, count)
    some = int(np.count_nonzero(present))
    stamps = np.zeros(count, np.int64)
    stamps[present] = _read_stamps(body, some, None if base is None else base[present])
    return stamps


def _read_stamps(body: BodyReader, count: int, base: Int64s | None) -> Int64s:
    sites = read_integers(body, count)
    return read_integers(body, count, base) << _SITE_BITS | sites


def microseconds(stamps: Int64s) -> Int64s:
    """The time part of stamps, to predict other columns from."""
    return stamps >> _SITE_BITS


def read_bitmap(body: BodyReader, count: int) -> NDArray[np.bool_]:
    """``count`` bits of the loose zone, the first in the highest bit."""
    packed = np.frombuffer(body.loose.take((count + 7) // 8), np.uint8)
    return np.unpackbits(packed, count=count).view(np.bool_)


def write_integers(out: BodyWriter, values: Int64s, base: Int64s | None = None) -> None:
    """One column of int64, by the prediction that leaves the fewest bits."""
    if not len(values):
        return
    best, prediction = _Residuals(values), _NONE
    if best.bits and len(values) > 1:
        best, prediction = min((best, _NONE), (_Residuals(np.diff(values)), _PREVIOUS), key=_bits)
    if best.bits and base is not None:
        best, prediction = min((_Residuals(base - values), _BASE), (best, prediction), key=_bits)
    out.byte(prediction | best.width << 2 | (best.divisor > 1) << 6)
    if prediction == _PREVIOUS:
        out.sint(int(values[0]))
    out.sint(best.least)
    if best.divisor > 1:
        out.uint(best.divisor)
    if best.width:
        _write_planes(out, best.above, best.width)


class _Residuals:
    """What a prediction leaves: the least residual, and for each row how many divisors it is above that."""

    def __init__(self, residuals: Int64s) -> None:
        least = residuals.min()
        above = (residuals - least).view(np.uint64)
        self.least = int(least)
        self.divisor = _divisor(above)
        self.above = above // np.uint64(self.divisor) if self.divisor > 1 else above
        self.width = (int(self.above.max()).bit_length() + 7) // 8
        self.bits = self.least.bit_length() + float(np.log2(self.above + 1.0).sum())
        """About how many bits these take."""


def _bits(candidate: tuple[_Residuals, int]) -> float:
    return candidate[0].bits


def _divisor(above: _Uint64s) -> int:
    """The greatest common divisor; a look at the first few mostly tells that there is none."""
    if gcd(*above[:8].tolist()) == 1:
        return 1
    return int(np.gcd.reduce(above)) or 1


def _write_planes(out: BodyWriter, values: _Uint64s, width: int) -> None:
    planes = np.ascontiguousarray(values.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :width].T)
    dense = 0
    for index, plane in enumerate(planes):
        looks_random = _looks_random(plane)
        dense |= looks_random << index
        (out.dense if looks_random else out.loose).append(plane.tobytes())
    out.byte(dense)


def _looks_random(plane: NDArray[np.uint8]) -> bool:
    """Whether two bytes of the plane are equal hardly more often than chance has it."""
    count = len(plane)
    if count < 32:
        return False
    histogram = np.bincount(plane)
    return int(histogram @ histogram) * 256 < 1.6 * count * (count + 256)


def read_integers(body: BodyReader, count: int, base: Int64s | None = None) -> Int64s:
    """What :func:`write_integers` wrote for ``count`` rows, given the same ``base``."""
    if not count:
        return np.empty(0, np.int64)
    code = body.byte()
    prediction, width = code & 3, code >> 2 & 15
    first = body.sint() if prediction == _PREVIOUS else 0
    least = np.uint64(body.sint() & _MASK64)
    divisor = np.uint64(body.uint() if code >> 6 else 1)
    size = count - (prediction == _PREVIOUS)
    above = _read_planes(body, size, width) if width else np.zeros(size, np.uint64)
    return _predicted(prediction, (above * divisor + least).view(np.int64), first, base)


def _predicted(prediction: int, residuals: Int64s, first: int, base: Int64s | None) -> Int64s:
    if prediction == _NONE:
        return residuals
    if prediction == _PREVIOUS:
        start = np.array([first & _MASK64], np.uint64).view(np.int64)
        return np.cumsum(np.concatenate((start, residuals)))
    if prediction == _BASE and base is not None:
        return base - residuals
    raise DecodeError(f"prediction {prediction} of an integer column")


def _read_planes(body: BodyReader, count: int, width: int) -> _Uint64s:
    if width > 8:
        raise DecodeError(f"integers of {width} bytes")
    dense = body.byte()
    planes = np.zeros((count, 8), np.uint8)
    for index in range(width):
        zone = body.dense if dense >> index & 1 else body.loose
        planes[:, index] = np.frombuffer(zone.take(count), np.uint8)
    return planes.view("<u8").reshape(count).astype(np.uint64, copy=False)

"""Texts that are a common prefix and a decimal number: numbers, money, telephone numbers, "name-17".

A column is taken if what follows the longest prefix that all values share (without its trailing digits and points)
is in every value either

- *plain*: a decimal number with the same number of places after the point, at most 18 digits, without
  leading zeros, ``-0`` or ``+``, or
- *fixed*: digits, the same number of them in every value, so that leading zeros can be put back.

Then the text is a function of prefix, number, scale and width. The number, without its point, is an int64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from replication.wire.integers import Int64s

MAX_DIGITS: Final = 18
MAX_PREFIX: Final = 255
MAX_SIZE: Final = 21
"""Of a number: the digits of an int64, a sign and a point."""
_ZERO, _NINE, _POINT, _MINUS = b"09.-"


class Shape(NamedTuple):
    """What all texts of a column have in common; ``width`` 0 means plain."""

    prefix: bytes
    scale: int
    width: int


def shared_prefix(values: Sequence[bytes]) -> bytes:
    """The longest prefix of all values, up to the length that the format allows."""
    least, greatest = min(values), max(values)
    size = min(len(least), len(greatest), MAX_PREFIX)
    return least[: next((place for place in range(size) if least[place] != greatest[place]), size)]


def parse(values: Sequence[bytes], joined: bytes, lengths: Int64s, shared: bytes) -> tuple[Int64s, Shape] | None:
    """The numbers and the shape of these texts; None if any of them is not canonical."""
    prefix = shared.rstrip(b"0123456789.")
    tail = values[0][len(prefix) :]
    scale = len(tail) - 1 - tail.find(b".") if b"." in tail else 0
    sizes = lengths - len(prefix)
    if int(sizes.min()) < 1 or int(sizes.max()) > MAX_DIGITS + 2:
        return None
    data = np.frombuffer(joined, np.uint8)
    ends = np.cumsum(lengths)
    first = data[ends - sizes]
    negative = first == _MINUS
    digits = sizes - negative - (scale > 0)
    if int((digits - scale).min()) < 1 or int(digits.max()) > MAX_DIGITS:
        return None
    numbers = _numbers(data, ends, sizes - negative, scale)
    if numbers is None:
        return None
    leading = data[ends - sizes + negative] == _ZERO
    if (leading & (digits - scale > 1)).any() or (negative & (numbers == 0)).any():
        width = int(sizes[0])
        fixed = not scale and not negative.any() and bool((sizes == width).all())
        return (numbers, Shape(prefix, 0, width)) if fixed else None
    return np.where(negative, -numbers, numbers), Shape(prefix, scale, 0)


def _numbers(data: NDArray[np.uint8], ends: Int64s, sizes: Int64s, scale: int) -> Int64s | None:
    """The digits before each end as numbers, without sign and point; None if something else is there."""
    numbers = np.zeros(len(ends), np.int64)
    power = 1
    for place in range(int(sizes.max())):
        byte = data[np.maximum(ends - 1 - place, 0)]
        within = sizes > place
        if scale and place == scale:
            if (byte != _POINT).any():
                return None
            continue
        if (within & ((byte < _ZERO) | (byte > _NINE))).any():
            return None
        numbers += np.where(within, byte - np.uint8(_ZERO), 0) * np.int64(power)
        power *= 10
    return numbers


def render(numbers: Int64s, shape: Shape) -> list[bytes]:
    """The texts of these numbers."""
    escaped = shape.prefix.replace(b"%", b"%%")
    if shape.scale:
        return _render_scaled(numbers, escaped, shape.scale)
    template = escaped + (b"%%0%dd" % shape.width if shape.width else b"%d")
    return [template % number for number in numbers.tolist()]


def _render_scaled(numbers: Int64s, escaped: bytes, scale: int) -> list[bytes]:
    whole, part = np.divmod(np.abs(numbers), 10**scale)
    template = escaped + b"%%d.%%0%dd" % scale
    pairs = zip(whole.tolist(), part.tolist(), strict=True)
    if int(numbers.min(initial=0)) >= 0:
        return [template % pair for pair in pairs]
    signs = [b"-" if negative else b"" for negative in (numbers < 0).tolist()]
    template = escaped + b"%%b%%d.%%0%dd" % scale
    return [template % (sign, *pair) for sign, pair in zip(signs, pairs, strict=True)]

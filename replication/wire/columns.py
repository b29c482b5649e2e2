"""Columns of values (``bytes`` or None): for each the encoding that fits all of it, exactly reversible.

In meta: the encoding, plus 128 if there are NULLs besides other values (then a bitmap of what is there, in the
loose zone, and only these values are encoded), then

    NULLS    nothing: all are NULL, or there is no row
    CONST    the value
    CHOICE   few different values: their number, the values; an index byte for each row, as integers
    UUID     lower case with hyphens: 16 bytes a row, dense
    TIME     canonical timestamps (``times``): whether "+00" follows, µs as integers, predicted from the rows' stamps
    NUMBER   prefix and decimal number (``numbers``): the prefix, scale, width, the numbers as integers
    TEXT     the prefix, lengths as integers, all bytes joined, loose
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final

import numpy as np
from numpy.typing import NDArray

from replication.errors import DecodeError
from replication.wire import numbers, times
from replication.wire.binary import MAX_BODY, BodyReader, BodyWriter
from replication.wire.integers import Int64s, read_bitmap, read_integers, write_integers

Values = list[bytes | None]

_NULLS, _CONST, _CHOICE, _UUID, _TIME, _NUMBER, _TEXT = range(7)
_SPARSE: Final = 128
_MOST_CHOICES: Final = 256

_UUID_TEMPLATE: Final = np.frombuffer(b"00000000-0000-0000-0000-000000000000", np.uint8)
_UUID_SIZE: Final = len(_UUID_TEMPLATE)
_UUID_DIGITS: Final = np.flatnonzero(np.isin(_UUID_TEMPLATE, ord("0")))
_UUID_MARKS: Final = np.flatnonzero(np.isin(_UUID_TEMPLATE, ord("-")))
_NIBBLES: Final = np.full(256, 255, np.uint8)
_NIBBLES[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


def write_values(out: BodyWriter, values: Sequence[bytes | None], base: Int64s) -> None:
    """One column; ``base`` are the rows' times in µs, from which its own times are predicted."""
    if None not in values:
        _write_present(out, values, base, 0)  # type: ignore[arg-type]
        return
    present = [value for value in values if value is not None]
    if not present:
        out.byte(_NULLS)
        return
    there = np.fromiter((value is not None for value in values), np.bool_, len(values))
    out.loose.append(np.packbits(there).tobytes())
    _write_present(out, present, base[there], _SPARSE)


def _write_present(out: BodyWriter, values: Sequence[bytes], base: Int64s, sparse: int) -> None:
    if not values:
        out.byte(_NULLS)
    elif values[0] == values[-1] and values.count(values[0]) == len(values):
        out.spend(len(values[0]) * len(values))
        out.byte(_CONST | sparse)
        out.raw(values[0])
    elif choices := _choices(values):
        out.byte(_CHOICE | sparse)
        _write_choices(out, values, choices)
    else:
        _write_varied(out, values, base, sparse)


def _choices(values: Sequence[bytes]) -> list[bytes]:
    """The different values, in order, if there are few of them."""
    most = min(len(values) // 8, _MOST_CHOICES)
    if most < 2 or len(set(values[: 2 * most])) > most:
        return []
    choices = set(values)
    return sorted(choices) if len(choices) <= most else []


def _write_choices(out: BodyWriter, values: Sequence[bytes], choices: list[bytes]) -> None:
    out.spend(sum(map(len, values)))
    out.uint(len(choices))
    for choice in choices:
        out.raw(choice)
    index = {choice: place for place, choice in enumerate(choices)}
    places = bytes(map(index.__getitem__, values))
    write_integers(out, np.frombuffer(places, np.uint8).astype(np.int64))


def _write_varied(out: BodyWriter, values: Sequence[bytes], base: Int64s, sparse: int) -> None:
    joined = b"".join(values)
    lengths = np.fromiter(map(len, values), np.int64, len(values))
    if (nibbles := _uuid_nibbles(joined, lengths)) is not None:
        out.spend(_UUID_SIZE * len(values))
        out.byte(_UUID | sparse)
        out.dense.append((nibbles[:, 0::2] << 4 | nibbles[:, 1::2]).tobytes())
    elif (parsed := times.parse(values, lengths)) is not None:
        out.spend(times.MAX_SIZE * len(values))
        out.byte(_TIME | sparse)
        out.byte(parsed[1])
        write_integers(out, parsed[0], base)
    else:
        _write_prefixed(out, values, joined, lengths, sparse)


def _uuid_nibbles(joined: bytes, lengths: Int64s) -> NDArray[np.uint8] | None:
    if not (lengths == _UUID_SIZE).all():
        return None
    text = np.frombuffer(joined, np.uint8).reshape(-1, _UUID_SIZE)
    nibbles = _NIBBLES[text[:, _UUID_DIGITS]]
    fits = int(nibbles.max()) < 16 and bool((text[:, _UUID_MARKS] == ord("-")).all())
    return nibbles if fits else None


def _write_prefixed(out: BodyWriter, values: Sequence[bytes], joined: bytes, lengths: Int64s, sparse: int) -> None:
    prefix = numbers.shared_prefix(values)
    if (parsed := numbers.parse(values, joined, lengths, prefix)) is not None:
        amounts, shape = parsed
        out.spend((len(shape.prefix) + numbers.MAX_SIZE) * len(values))
        out.byte(_NUMBER | sparse)
        out.raw(shape.prefix)
        out.byte(shape.scale)
        out.byte(shape.width)
        write_integers(out, amounts)
        return
    out.spend(len(joined))
    out.byte(_TEXT | sparse)
    out.raw(prefix)
    write_integers(out, lengths - len(prefix))
    cut = len(prefix)
    out.loose.append(b"".join([value[cut:] for value in values]) if cut else joined)


def read_values(body: BodyReader, count: int, base: Int64s) -> Values:
    """What :func:`write_values` wrote for ``count`` rows, given the same ``base``."""
    code = body.byte()
    if code == _NULLS:
        return [None] * count
    read = _READERS.get(code & ~_SPARSE)
    if read is None:
        raise DecodeError(f"column encoding {code}")
    if not code & _SPARSE:
        return read(body, count, base)
    there = read_bitmap(body, count)
    base = base[there]
    column = np.full(count, None, np.object_)
    column[there] = read(body, len(base), base)
    values: Values = column.tolist()
    return values


def _read_const(body: BodyReader, count: int, _: Int64s) -> Values:
    value = body.raw()
    body.spend(len(value) * count)
    return [value] * count


def _read_choices(body: BodyReader, count: int, _: Int64s) -> Values:
    if (known := body.uint()) > _MOST_CHOICES:
        raise DecodeError(f"{known} choices")
    choices = [body.raw() for _ in range(known)]
    places = read_integers(body, count)
    if count and not 0 <= int(places.min()) <= int(places.max()) < known:
        raise DecodeError("choice that is not there")
    body.spend(int(np.array([len(choice) for choice in choices], np.int64)[places].sum()))
    return [choices[place] for place in places.tolist()]


def _read_uuids(body: BodyReader, count: int, _: Int64s) -> Values:
    body.spend(_UUID_SIZE * count)
    digits = body.dense.take(16 * count).hex().encode()
    text = np.empty((count, _UUID_SIZE), np.uint8)
    text[:] = _UUID_TEMPLATE
    text[:, _UUID_DIGITS] = np.frombuffer(digits, np.uint8).reshape(count, 32)
    values: Values = text.view(f"S{_UUID_SIZE}").reshape(count).tolist()
    return values


def _read_times(body: BodyReader, count: int, base: Int64s) -> Values:
    zoned = bool(body.byte())
    body.spend(times.MAX_SIZE * count)
    return [*times.render(read_integers(body, count, base), zoned)]


def _read_numbers(body: BodyReader, count: int, _: Int64s) -> Values:
    shape = numbers.Shape(body.raw(), body.byte(), body.byte())
    if len(shape.prefix) > numbers.MAX_PREFIX or max(shape[1:]) > numbers.MAX_DIGITS:
        raise DecodeError("number with more places than the format has")
    body.spend((len(shape.prefix) + numbers.MAX_SIZE) * count)
    return [*numbers.render(read_integers(body, count), shape)]


def _read_texts(body: BodyReader, count: int, _: Int64s) -> Values:
    prefix = body.raw()
    lengths = read_integers(body, count)
    if len(prefix) > numbers.MAX_PREFIX or (count and not _fit(lengths)):
        raise DecodeError("text of an impossible length")
    body.spend(len(prefix) * count + int(lengths.sum()))
    ends = list(accumulate(lengths.tolist()))
    data = bytes(body.loose.take(ends[-1] if ends else 0))
    starts = [0, *ends]
    if prefix:
        return [prefix + data[start:end] for start, end in zip(starts, ends, strict=False)]
    return [data[start:end] for start, end in zip(starts, ends, strict=False)]


def _fit(lengths: Int64s) -> bool:
    return int(lengths.min()) >= 0 and int(lengths.max()) <= MAX_BODY


_READERS: Final[dict[int, Callable[[BodyReader, int, Int64s], Values]]] = {
    _CONST: _read_const,
    _CHOICE: _read_choices,
    _UUID: _read_uuids,
    _TIME: _read_times,
    _NUMBER: _read_numbers,
    _TEXT: _read_texts,
}

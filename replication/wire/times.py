"""PostgreSQL's text of a timestamp, in ISO style and UTC, to µs since 2000-01-01 and back, a column at a time.

Only the canonical form counts: ``YYYY-MM-DD HH:MM:SS[.f{1,6}]`` without trailing zeros in the fraction, with or without
``+00`` in the whole column, of a day that exists in the years 1 to 9999. Then the text is a function
of the number. Anything else (BC, infinity, another zone) is not taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from replication.errors import DecodeError
from replication.wire.integers import Int64s

_Bytes = NDArray[np.uint8]

_ZONE: Final = b"+00"
_TEMPLATE: Final = np.frombuffer(b"0000-00-00 00:00:00.000000", np.uint8)
_DIGITS: Final = np.flatnonzero(np.isin(_TEMPLATE, ord("0")))
_MARKS: Final = np.flatnonzero(_TEMPLATE[:19] != ord("0"))
_WHOLE: Final = 19
_FULL: Final = 26
MAX_SIZE: Final = _FULL + len(_ZONE)
_PLACES: Final = np.arange(6)
_POWERS: Final = 10 ** np.arange(5, -1, -1, dtype=np.int64)
_SECOND: Final = 1_000_000
_DAY: Final = 86_400 * _SECOND
_EPOCH_DAY: Final = 10_957
"""2000-01-01, in days since 1970-01-01."""
_FIRST: Final = (-719_162 - _EPOCH_DAY) * _DAY
_LAST: Final = (2_932_897 - _EPOCH_DAY) * _DAY


def parse(values: Sequence[bytes], lengths: Int64s) -> tuple[Int64s, bool] | None:
    """The µs of these texts and whether they bear ``+00``; None if any of them is not canonical."""
    zoned = values[0].endswith(_ZONE)
    fraction = lengths - (_WHOLE + 1 + len(_ZONE) * zoned)
    if int(fraction.min()) < -1 or int(fraction.max()) > len(_PLACES) or not fraction.all():
        return None
    width = int(lengths.max())
    text = np.array(values, f"S{_FULL + len(_ZONE)}").view(np.uint8).reshape(len(values), -1)
    fraction = np.maximum(fraction, 0)
    if zoned and not _ends_in_zone(text[:, :width], lengths):
        return None
    within = fraction[:, None] > _PLACES
    digits = text[:, _DIGITS] - np.uint8(ord("0"))
    digits[:, 14:] *= within
    if (digits > 9).any() or (text[:, _MARKS] != _TEMPLATE[_MARKS]).any():
        return None
    pointed = fraction > 0
    if (text[pointed, _WHOLE] != ord(".")).any():
        return None
    if not digits[pointed, 13 + fraction[pointed]].all():
        return None
    us = _microseconds(digits.astype(np.int64))
    return None if us is None else (us, zoned)


def _ends_in_zone(text: _Bytes, lengths: Int64s) -> bool:
    rows = np.arange(len(text))
    return all(bool((text[rows, lengths - len(_ZONE) + place] == byte).all()) for place, byte in enumerate(_ZONE))


def _microseconds(digits: Int64s) -> Int64s | None:
    """µs since 2000 of rows of twenty digits, None if a field is out of its range."""
    pairs = digits[:, 0:14:2] * 10 + digits[:, 1:14:2]
    year = pairs[:, 0] * 100 + pairs[:, 1]
    month, day, hour, minute, second = pairs[:, 2:].T
    below = (month < 13) & (hour < 24) & (minute < 60) & (second < 60)
    if not (below & (month > 0) & (day > 0) & (year > 0)).all():
        return None
    months = ((year - 1970) * 12 + month - 1).astype("M8[M]")
    days = months.astype("M8[D]") + (day - 1)
    if (days.astype("M8[M]") != months).any():
        return None
    whole = (days.astype(np.int64) - _EPOCH_DAY) * 86_400 + hour * 3600 + minute * 60 + second
    return np.asarray(whole * _SECOND + digits[:, 14:] @ _POWERS)


def render(us: Int64s, zoned: bool) -> list[bytes]:  # noqa: FBT001 - a field of the format
    """The texts of these µs."""
    if len(us) and not (int(us.min()) >= _FIRST and int(us.max()) < _LAST):
        raise DecodeError("time outside the years 1 to 9999")
    text = np.empty((len(us), _FULL), np.uint8)
    text[:] = _TEMPLATE
    text[:, _DIGITS] += _digits(us)
    _trim(text)
    texts: list[bytes] = text.view(f"S{_FULL}").reshape(-1).tolist()
    return [value + _ZONE for value in texts] if zoned else texts


def _digits(us: Int64s) -> _Bytes:
    """The twenty digits of each time."""
    day, rest = np.divmod(us, _DAY)
    second, fraction = np.divmod(rest, _SECOND)
    days = (day + _EPOCH_DAY).astype("M8[D]")
    months = days.astype("M8[M]")
    year, month = np.divmod(months.astype(np.int64) + 1970 * 12, 12)
    minute = second // 60
    fields = (year // 100, year % 100, month + 1, (days - months).astype(np.int64) + 1,
              minute // 60, minute % 60, second % 60,
              fraction // 10_000, fraction // 100 % 100, fraction % 100)  # fmt: skip
    pairs = np.stack(fields, axis=1).astype(np.uint8)
    digits = np.empty((len(us), 20), np.uint8)
    digits[:, 0::2] = pairs // 10
    digits[:, 1::2] = pairs % 10
    return digits


def _trim(text: _Bytes) -> None:
    """Make the fraction's trailing zeros, and a point with nothing after it, NUL: numpy drops NULs at the end."""
    idle = np.ones(len(text), np.bool_)
    for place in range(_FULL - 1, _WHOLE, -1):
        idle &= text[:, place] == ord("0")
        text[idle, place] = 0
        if not idle.any():
            return
    text[idle, _WHOLE] = 0

"""PostgreSQL's order of numbers, dates and timestamps, from their text forms. Pure; nothing passes through a float.

A magnitude is a tuple of numbers, greater for what PostgreSQL holds for greater, within one type.
"""

import re
from decimal import Decimal

from replication.errors import DecodeError

_EXTREMES = {"-infinity": -1, "infinity": 1, "nan": 2}
_DATE = re.compile(
    r"(?P<year>\d{4,})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"(?: (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d(?:\.\d+)?)(?:\+00)?)?(?P<before> BC)?"
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def magnitude(value: bytes) -> tuple[Decimal | int, ...]:
    """The order of a number, a date or a timestamp (in UTC)."""
    text = value.decode()
    extreme = _EXTREMES.get(text.lower())
    if extreme is not None:
        return (extreme,)
    if _NUMBER.fullmatch(text):
        return 0, Decimal(text)
    if found := _DATE.fullmatch(text):
        year = int(found["year"]) * (-1 if found["before"] else 1)
        rest = (Decimal(found[part] or 0) for part in ("month", "day", "hour", "minute", "second"))
        return 0, year, *rest
    raise DecodeError("a value that is neither a number nor a time cannot be the greatest or the least")

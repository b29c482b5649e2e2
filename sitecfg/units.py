"""Sizes and rates as people write them.

Sizes count as PostgreSQL's settings do (`1kB` is 1,024 bytes); rates count as line speeds do
(`1kbit` is 1,000 bits a second). Both are whole, positive numbers.
"""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

SIZES = {"B": 1, "kB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}
RATES = {"bit": 1, "kbit": 10**3, "Mbit": 10**6, "Gbit": 10**9}


def size_bytes(text: object) -> int:
    """Read `4GB`; raises ValueError."""
    return _quantity(text, SIZES, "a size")


def rate_bits(text: object) -> int:
    """Read `64kbit`, bits a second; raises ValueError."""
    return _quantity(text, RATES, "a rate")


def _quantity(text: object, units: dict[str, int], what: str) -> int:
    known = ", ".join(units)
    found = re.fullmatch(r"([0-9]{1,15})\s?([A-Za-z]+)", text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"not {what}: a whole number and one of {known}, in quotes")
    number, unit = int(found[1]), found[2]
    if unit not in units:
        raise ValueError(f"unit {unit} is not one of {known}")
    if number == 0:
        raise ValueError(f"{what} above zero is needed")
    return number * units[unit]


def _size(value: Any) -> int:
    return _custom(size_bytes, value, 'for example "4GB"')


def _rate(value: Any) -> int:
    return _custom(rate_bits, value, 'for example "64kbit" or "10Mbit"')


def _custom(read: Any, value: Any, hint: str) -> int:
    try:
        return int(read(value))
    except ValueError as error:
        raise PydanticCustomError("unit", "{reason}", {"reason": str(error), "hint": hint}) from None


Bytes = Annotated[int, BeforeValidator(_size)]
BitsPerSecond = Annotated[int, BeforeValidator(_rate)]

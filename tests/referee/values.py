"""Values in PostgreSQL's text form, as far as the rules compare or count them."""

import re
from decimal import Decimal
from typing import Any

_ELEMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|([^,{}]+)')


def number(value: str | None) -> Decimal:
    return Decimal(value or "0")


def elements(value: str | None) -> frozenset[str]:
    """An array of one dimension, as a set."""
    found = _ELEMENT.findall((value or "{}")[1:-1])
    return frozenset(re.sub(r"\\(.)", r"\1", quoted) or plain for quoted, plain in found)


def magnitude(value: str) -> tuple[Any, ...]:
    """The order of numbers, or of dates and times, within one type."""
    if re.fullmatch(r"-?[0-9.]+", value):
        return (Decimal(value),)
    year, _, rest = value.removesuffix(" BC").partition("-")
    return (-int(year) if value.endswith(" BC") else int(year), rest)

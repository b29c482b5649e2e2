"""Pages by key, never by number: the next page starts where this one ended, however far that is.

A row that arrives from a peer while somebody pages moves nothing, and page 1,000 costs what page 1
does. Counts stop at a cap, because nobody acts on the difference between 4,021 and 4,022.
"""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet

PAGE_ROWS = 25
COUNT_CAP = 1000
M = TypeVar("M", bound=Model)
T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[M]):
    """Some rows, and the mark of the next page or an empty string."""

    rows: Sequence[M]
    next_mark: str


@dataclass(frozen=True)
class Order:
    """An order of rows by one column, then by key, so that no two rows are equal.

    `read` makes the column's value of its text.
    """

    column: str
    descending: bool = False
    read: Callable[[str], Any] = str

    def by(self) -> tuple[str, str]:
        sign = "-" if self.descending else ""
        return f"{sign}{self.column}", f"{sign}id"

    def after(self, value: Any, key: str) -> Q:
        """What comes after a row: bounded first, so that the index serves it, then exact."""
        side = "lt" if self.descending else "gt"
        return Q(**{f"{self.column}__{side}e": value}) & (
            Q(**{f"{self.column}__{side}": value}) | Q(**{f"id__{side}": key})
        )


def page_of(rows: QuerySet[M], *, order: Order, mark: str = "", size: int = PAGE_ROWS) -> Page[M]:
    """The page that starts after the mark; a mark that is not one starts from the beginning."""
    ordered = rows.order_by(*order.by())
    place = _read(mark, order)
    if place:
        ordered = ordered.filter(order.after(*place))
    found = list(ordered[: size + 1])
    more = len(found) > size
    return Page(found[:size], _mark(found[size - 1], order.column) if more else "")


def capped_count(rows: QuerySet[M]) -> int:
    """How many rows there are, at most COUNT_CAP + 1, which means more than the cap."""
    return rows.order_by()[: COUNT_CAP + 1].count()


def mark_of(*place: Any) -> str:
    """A place as a short text for an address."""
    plain = [each.isoformat() if isinstance(each, datetime) else str(each) for each in place]
    return base64.urlsafe_b64encode(json.dumps(plain, ensure_ascii=False).encode()).decode().rstrip("=")


def place_of(mark: str, *reads: Callable[[str], T]) -> tuple[T, ...] | None:
    """The place that a mark stands for, each part read by its function; None if it is no such mark."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(mark + "=" * (-len(mark) % 4)))
        return tuple(read(part) for read, part in zip(reads, parts, strict=True))
    except (ValueError, TypeError, AttributeError):
        return None


def _mark(row: Model, column: str) -> str:
    return mark_of(getattr(row, column), row.pk)


def _read(mark: str, order: Order) -> tuple[Any, ...] | None:
    return place_of(mark, order.read, lambda key: str(UUID(key)))

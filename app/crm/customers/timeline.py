"""The time line of a customer: what was said, and what was bought, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from crm.activities.models import Activity
from crm.customers.models import Customer
from crm.sales.models import Order

ENTRIES = 15
Place = tuple[datetime, UUID]


@dataclass(frozen=True)
class Entry:
    """One thing on the time line: an activity or an order."""

    at: datetime
    key: UUID
    activity: Activity | None = None
    order: Order | None = None

    @property
    def place(self) -> tuple[datetime, UUID]:
        return self.at, self.key

    @property
    def is_ahead(self) -> bool:
        return self.at > timezone.now()


@dataclass(frozen=True)
class TimeLine:
    """A stretch of it; `before` is where the next stretch starts, or nothing."""

    entries: Sequence[Entry]
    before: str


def get_time_line(customer: Customer, *, show: str = "", before: str = "") -> TimeLine:
    """The newest entries before a place; `show` is "orders", "talks", or empty for both."""
    start = _place(before)
    found: list[Entry] = []
    if show != "orders":
        found += [Entry(each.starts_at, each.pk, activity=each) for each in _activities(customer, start)]
    if show != "talks":
        found += [Entry(each.ordered_at, each.pk, order=each) for each in _orders(customer, start)]
    found.sort(key=lambda entry: entry.place, reverse=True)
    stretch = found[:ENTRIES]
    return TimeLine(stretch, f"{stretch[-1].at.isoformat()},{stretch[-1].key}" if len(found) > ENTRIES else "")


def _activities(customer: Customer, start: Place | None) -> QuerySet[Activity]:
    rows = Activity.objects.filter(_before("starts_at", start), customer=customer)
    return rows.select_related("author", "contact").order_by("-starts_at", "-id")[: ENTRIES + 1]


def _orders(customer: Customer, start: Place | None) -> QuerySet[Order]:
    rows = Order.objects.filter(_before("ordered_at", start), customer=customer)
    return rows.select_related("taken_by").order_by("-ordered_at", "-id")[: ENTRIES + 1]


def _before(column: str, start: Place | None) -> Q:
    if start is None:
        return Q()
    at, key = start
    return Q(**{f"{column}__lte": at}) & (Q(**{f"{column}__lt": at}) | Q(id__lt=key))


def _place(before: str) -> Place | None:
    try:
        at, key = before.split(",")
        return datetime.fromisoformat(at), UUID(key)
    except ValueError:
        return None

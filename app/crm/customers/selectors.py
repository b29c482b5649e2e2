"""Customers, as the pages ask for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, Max, OuterRef, QuerySet, Subquery, Sum

from crm.activities.models import Activity, State
from crm.core.paging import Order, Page, capped_count, page_of
from crm.core.searching import matching
from crm.customers.models import Contact, Customer
from crm.sales.models import Order as SalesOrder
from crm.sales.models import Status

NEWEST_FIRST = Order("updated_at", descending=True, read=datetime.fromisoformat)


@dataclass(frozen=True)
class Wanted:
    """What a list of customers is narrowed to; an empty text narrows nothing."""

    typed: str = ""
    site: str = ""
    kind: str = ""
    stage: str = ""


def find_customers(wanted: Wanted) -> QuerySet[Customer]:
    """Customers that match by their own text or by a contact's."""
    exact = {"owner_site": wanted.site, "kind": wanted.kind, "stage": wanted.stage}
    rows = Customer.objects.filter(**{name: value for name, value in exact.items() if value})
    if not wanted.typed.strip():
        return rows
    by_name = matching(Customer.objects.all(), wanted.typed).order_by().values("pk")
    by_contact = matching(Contact.objects.all(), wanted.typed).order_by().values("customer_id")
    return rows.filter(pk__in=by_name.union(by_contact))


def get_customer_page(wanted: Wanted, *, mark: str) -> Page[Customer]:
    """A page of the list, the newest change first, with when each was last in touch."""
    touched = Activity.objects.filter(customer=OuterRef("pk"), state=State.DONE).order_by("-starts_at")
    rows = find_customers(wanted).select_related("keeper").defer("search_text", "note", "address")
    return page_of(rows.annotate(touched_at=Subquery(touched.values("starts_at")[:1])), order=NEWEST_FIRST, mark=mark)


def count_customers(wanted: Wanted) -> int:
    """How many match, up to the cap and one more."""
    return capped_count(find_customers(wanted))


def get_contacts(customer: Customer) -> Sequence[Contact]:
    """Who to talk to there, those who left last."""
    return list(customer.contacts.order_by("-is_active", "name").defer("search_text"))


@dataclass(frozen=True)
class Bought:
    """What a customer bought in one currency."""

    currency: str
    total: Decimal
    orders: int
    last_at: datetime


def get_bought(customer: Customer) -> list[Bought]:
    """All that was bought, by currency: amounts in two currencies are never added up."""
    rows = SalesOrder.objects.filter(customer=customer).exclude(status=Status.CANCELLED)
    sums = rows.values("currency").annotate(total=Sum("total"), orders=Count("pk"), last_at=Max("ordered_at"))
    return [Bought(**each) for each in sums.order_by("-orders")]


@dataclass(frozen=True)
class Dealing:
    """What one site did with a customer."""

    site: str
    orders: int
    activities: int
    last_at: datetime


def get_dealings(customer: Customer) -> list[Dealing]:
    """What each site did with the customer, so that two branches see each other."""
    orders = _by_site(SalesOrder.objects.filter(customer=customer), "ordered_at")
    activities = _by_site(Activity.objects.filter(customer=customer), "starts_at")
    found = []
    for site in dict.fromkeys([*orders, *activities]):
        order_count, ordered_at = orders.get(site, (0, None))
        activity_count, active_at = activities.get(site, (0, None))
        last_at = max(moment for moment in (ordered_at, active_at) if moment)
        found.append(Dealing(site, order_count, activity_count, last_at))
    return sorted(found, key=lambda dealing: dealing.last_at, reverse=True)


def _by_site(rows: QuerySet[SalesOrder] | QuerySet[Activity], moment: str) -> dict[str, tuple[int, datetime]]:
    sums = rows.order_by().values("owner_site").annotate(number=Count("pk"), last_at=Max(moment))
    return {each["owner_site"]: (each["number"], each["last_at"]) for each in sums}


def get_members(customer: Customer) -> Sequence[Customer]:
    """The companies of the group that this one heads."""
    return list(customer.members.only("name", "name_lang", "latin_name", "owner_site").order_by("name")[:20])

"""Orders, as the pages ask for them."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, QuerySet, Sum

from crm.core.paging import Order as PageOrder
from crm.core.paging import Page, capped_count, page_of
from crm.core.sites import this_site
from crm.sales.models import Order, OrderLine, Status

LINES = 60
BY_POSITION = PageOrder("position", read=int)
NEWEST_FIRST = PageOrder("ordered_at", descending=True, read=datetime.fromisoformat)


def find_orders(*, number: str = "", site: str = "", status: str = "") -> QuerySet[Order]:
    """Orders by the start of their number, their site and their status."""
    exact = {"number__istartswith": number.strip(), "owner_site": site, "status": status}
    return Order.objects.filter(**{name: value for name, value in exact.items() if value})


def get_order_page(*, number: str, site: str, status: str, mark: str) -> Page[Order]:
    """A page of the list, the newest first."""
    rows = find_orders(number=number, site=site, status=status).select_related("customer")
    return page_of(rows.defer("customer__search_text", "customer__note"), order=NEWEST_FIRST, mark=mark)


def count_orders(*, number: str, site: str, status: str) -> int:
    """How many there are, up to the cap and one more."""
    return capped_count(find_orders(number=number, site=site, status=status))


def get_line_page(order: Order, *, mark: str) -> Page[OrderLine]:
    """A page of the order's lines with their products, in their order."""
    rows = order.lines.select_related("product").defer("product__search_text")
    return page_of(rows, order=BY_POSITION, mark=mark, size=LINES)


def is_here(order: Order) -> bool:
    """Whether this site may write the order."""
    return order.owner_site == this_site().name


def get_sales_since(moment: datetime) -> list[tuple[str, int, Decimal]]:
    """This site's orders since a moment: currency, number, total."""
    rows = Order.objects.filter(owner_site=this_site().name, ordered_at__gte=moment).exclude(status=Status.CANCELLED)
    sums = rows.values("currency").annotate(number=Count("pk"), sum=Sum("total")).order_by("-number")
    return [(each["currency"], each["number"], each["sum"]) for each in sums]


def get_latest_orders(site: str, *, most: int = 6) -> Sequence[Order]:
    """A site's newest orders with their customers."""
    rows = Order.objects.filter(owner_site=site).select_related("customer")
    return list(rows.defer("customer__search_text", "customer__note").order_by("-ordered_at", "-id")[:most])

"""What changes orders and lines.

Lines and totals are written at the order's own site, in one transaction under a lock on the order, so
the stored totals are the sums of the lines; `NotHereError` says that another site owns the order.
"""

import base64
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Max, Sum
from django.utils import timezone

from crm.accounts.models import User
from crm.catalog.models import Product
from crm.core.sites import this_site
from crm.core.versions import Outcome
from crm.core.writing import write_edit, write_new
from crm.customers.models import Customer
from crm.sales.models import Order, OrderLine

CENT = Decimal("0.01")


class NotHereError(Exception):
    """The order belongs to another site, which alone writes its lines; `args[0]` is that site."""


def create_order(*, key: UUID, customer: Customer, taken_by: User, values: Mapping[str, Any]) -> Order:
    """Open an order of this site; the same key again gives the order that is there."""
    site = this_site()
    number = order_number(site=site.name, key=key)
    own = {"customer": customer, "owner_site": site.name, "number": number, "taken_by": taken_by}
    return write_new(Order.objects.all(), key=key, values={**values, **own}, by=taken_by.pk)


def order_number(*, site: str, key: UUID) -> str:
    """A short number that no other site gives out: the site, the month, and letters of the key."""
    letters = base64.b32encode(key.bytes[:5]).decode()[:6]
    return f"{site[:3].upper()}-{timezone.localdate():%y%m}-{letters}"


def update_order(
    *, key: UUID, fields: tuple[str, ...], seen: str, typed: Mapping[str, Any], by: UUID | None
) -> Outcome:
    """Save what changed of an order's head, at its own site."""
    _own(Order.objects.get(pk=key))
    return write_edit(Order.objects.all(), key=key, fields=fields, seen=seen, typed=typed, by=by)


@transaction.atomic
def add_line(*, key: UUID, order: UUID, product: Product, quantity: Decimal, unit_price: Decimal) -> OrderLine:
    """Put a product on the order; the same key again changes nothing."""
    locked = _lock(order)
    last = locked.lines.aggregate(last=Max("position"))["last"] or 0
    line, _ = OrderLine.objects.get_or_create(
        pk=key,
        defaults={
            "order": locked,
            "owner_site": locked.owner_site,
            "position": last + 1,
            "product": product,
            "quantity": quantity,
            "unit_price": unit_price,
            "amount": line_amount(quantity=quantity, unit_price=unit_price, discount=Decimal(0)),
            "currency": locked.currency,
        },
    )
    _total(locked)
    return line


@transaction.atomic
def update_line(*, key: UUID, fields: tuple[str, ...], seen: str, typed: Mapping[str, Any], by: UUID | None) -> Outcome:
    """Save what changed of a line, and the order's totals with it."""
    order = _lock(OrderLine.objects.values_list("order_id", flat=True).get(pk=key))
    rows = OrderLine.objects.filter(order=order)
    outcome = write_edit(rows, key=key, fields=fields, seen=seen, typed=typed, by=by, derive=_derived_amount)
    _total(order)
    return outcome


@transaction.atomic
def remove_line(*, key: UUID, order: UUID) -> None:
    """Take a line off the order; a line that is gone already is no fault."""
    locked = _lock(order)
    OrderLine.objects.filter(pk=key, order=locked).delete()
    _total(locked)


def line_amount(*, quantity: Decimal, unit_price: Decimal, discount: Decimal) -> Decimal:
    """What the customer pays for a line, to the cent."""
    return (quantity * unit_price - discount).quantize(CENT, ROUND_HALF_UP)


def _derived_amount(after: Mapping[str, Any]) -> dict[str, Decimal]:
    names = ("quantity", "unit_price", "discount")
    return {"amount": line_amount(**{name: after[name] for name in names})}


def _lock(key: UUID) -> Order:
    order = Order.objects.select_for_update().get(pk=key)
    _own(order)
    return order


def _own(order: Order) -> None:
    if order.owner_site != this_site().name:
        raise NotHereError(order.owner_site)


def _total(order: Order) -> None:
    """Write the order's totals where they differ from its lines' sums."""
    sums = order.lines.aggregate(total=Sum("amount"), discount_total=Sum("discount"), line_count=Count("pk"))
    now = {name: value or 0 for name, value in sums.items()}
    if any(getattr(order, name) != value for name, value in now.items()):
        Order.objects.filter(pk=order.pk).update(**now, updated_at=timezone.now())

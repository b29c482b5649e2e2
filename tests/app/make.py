"""Rows for tests, each with what it cannot do without."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from crm.accounts.models import User
from crm.accounts.services import create_user
from crm.catalog.models import Product
from crm.catalog.services import create_product
from crm.customers.forms import CustomerForm
from crm.customers.models import Contact, Customer
from crm.customers.services import create_contact, create_customer
from crm.sales.models import Order
from crm.sales.services import create_order

WHEN = datetime(2026, 3, 5, 4, 30, tzinfo=UTC)


def make_user(**values: Any) -> User:
    base = {
        "display_name": "王志明",
        "name_lang": "zh-Hant",
        "owner_site": "taipei",
        "role": "staff",
        "language": "en",
        "time_zone": "Asia/Taipei",
    }
    username = values.pop("username", f"user-{uuid.uuid4().hex[:8]}")
    return create_user(key=uuid.uuid4(), username=username, password="a long pass phrase", **(base | values))


def make_customer(**values: Any) -> Customer:
    base = {"name": "寧波誠意機械", "name_lang": "zh-Hant", "latin_name": "", "tax_id": "", "email": "", "city": ""}
    owner = values.pop("owner_site", None)
    customer = create_customer(key=uuid.uuid4(), values=base | {"phone": "", "currency": "USD"} | values, by=None)
    if owner:
        Customer.objects.filter(pk=customer.pk).update(owner_site=owner)
        customer.refresh_from_db()
    return customer


def make_contact(customer: Customer, **values: Any) -> Contact:
    base = {"name": "林怡君", "name_lang": "zh-Hant", "latin_name": "", "email": "", "phone": "", "mobile": ""}
    return create_contact(key=uuid.uuid4(), customer=customer, values=base | values, by=None)


def make_product(**values: Any) -> Product:
    base = {
        "code": "82001",
        "name": "Ratchet wrench",
        "brand": "National",
        "category": "RATCHETS",
        "department": "TOOLS",
    }
    return create_product(
        key=uuid.uuid4(), values=base | {"list_price": Decimal("12.50"), "currency": "USD"} | values, by=None
    )


def make_order(customer: Customer, **values: Any) -> Order:
    base = {"currency": "USD", "ordered_at": WHEN, "status": "confirmed"}
    owner = values.pop("owner_site", None)
    order = create_order(key=uuid.uuid4(), customer=customer, taken_by=make_user(), values=base | values)
    if owner:
        Order.objects.filter(pk=order.pk).update(owner_site=owner)
        order.refresh_from_db()
    return order


def form_of(customer: Customer, **typed: str) -> dict[str, str]:
    """What a browser sends back from a customer's form, with some fields typed anew."""
    form = CustomerForm.to_edit(customer)
    values = {name: form[name].value() for name in form.row_fields()}
    sent = {name: "" if value is None else str(value) for name, value in values.items()}
    return sent | {"version": form.initial["version"]} | typed

"""The records that people edit: what they are called, through which form and service they change, and who may.

What stands here is shown of the conflicts; other tables and columns are the programs' own business.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import Field, QuerySet
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.accounts.models import User
from crm.accounts.roles import May, role_may
from crm.activities.forms import ActivityForm, activity_form
from crm.activities.models import Activity
from crm.activities.services import update_activity
from crm.catalog.forms import ProductForm
from crm.catalog.models import Product
from crm.catalog.services import update_product
from crm.core.forms import RowForm
from crm.core.models import Replicated
from crm.core.sites import config, site_title, this_site
from crm.core.versions import Outcome
from crm.customers.forms import ContactForm, CreditForm, customer_form
from crm.customers.models import Contact, Customer
from crm.customers.services import update_contact, update_customer
from crm.sales.forms import LineForm, OrderForm
from crm.sales.models import Order, OrderLine
from crm.sales.services import update_line, update_order

EXISTENCE = ""
"""The column's name in a conflict over whether the row is there."""


@dataclass(frozen=True)
class Column:
    """A column that people know: its form field, and the model's field behind it."""

    name: str
    label: str | Promise
    field: "Field[Any, Any]"


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind of record. `customer` is the lookup that leads to the customer ("pk" for itself), if one does."""

    code: str
    one: Promise
    many: Promise
    rows: "QuerySet[Any]"
    widest: type[RowForm[Any]]
    form: Callable[[User, Any], type[RowForm[Any]]]
    update: Callable[..., Outcome]
    may: May
    address: Callable[[Any], str]
    customer: str = ""
    at_home: bool = False
    """Only the site that it belongs to writes it."""

    @cached_property
    def table(self) -> str:
        """As replication names it."""
        return f"public.{self.rows.model._meta.db_table}"  # noqa: SLF001  (Django documents _meta)

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """What people can edit, by the column's name."""
        found = {}
        for name in self.widest.row_fields():
            field = self.rows.model._meta.get_field(name)  # noqa: SLF001  (as above)
            found[field.attname] = Column(name, self.widest.base_fields[name].label or name, field)
        return found

    def label(self, column: str) -> str:
        """What people call a column."""
        return capfirst(str(self.columns[column].label)) if column else _("The record itself")

    def get_rows(self, keys: Sequence[UUID]) -> Mapping[UUID, Any]:
        """The records under these keys that are here."""
        return {row.pk: row for row in self.rows.filter(pk__in=keys)}

    def barrier(self, user: User, row: Replicated | None, columns: Sequence[str]) -> str:
        """Why this person may not change these columns, with who may; empty if nothing is in the way."""
        if not role_may(user.role, self.may):
            return _("Your role does not change this. Somebody whose role does can answer.")
        if self.at_home and row is not None and row.owner_site != this_site().name:
            return _("This belongs to %s, and is changed and answered there.") % site_title(row.owner_site)
        allowed = self.form(user, row).row_fields() if row is not None else ()
        if row is not None and any(self.columns[column].name not in allowed for column in columns if column):
            return _("Your role does not change this field. Headquarters can answer.")
        return ""


def together(table: str, column: str) -> tuple[str, ...]:
    """The columns that share this one's stamp, which travel and win together; itself among them."""
    groups = config().rules.table(table).groups.values()
    return next((tuple(group) for group in groups if column in group), (column,))


def asks(table: str, column: str) -> bool:
    """Whether the rules ask a person about this column, whoever owns the row."""
    rule = config().rules.table(table).column(column)
    return rule.review or any(owned.review for owned in rule.owned_by.values())


def _page(name: str) -> Callable[[Any], str]:
    return lambda row: reverse(name, args=[row.pk])


_LIGHT = ("search_text", "note")
KINDS: Mapping[str, Kind] = {
    kind.code: kind
    for kind in (
        Kind(
            "customers",
            gettext_lazy("Customer"),
            gettext_lazy("Customers"),
            Customer.objects.select_related("keeper").defer("search_text"),
            CreditForm,
            lambda user, _: customer_form(user),
            update_customer,
            May.SELL,
            _page("customer_detail"),
            customer="pk",
        ),
        Kind(
            "contacts",
            gettext_lazy("Contact"),
            gettext_lazy("Contacts"),
            Contact.objects.select_related("customer").defer("search_text", *(f"customer__{name}" for name in _LIGHT)),
            ContactForm,
            lambda *_: ContactForm,
            update_contact,
            May.SELL,
            _page("contact_edit"),
            customer="customer",
        ),
        Kind(
            "orders",
            gettext_lazy("Order"),
            gettext_lazy("Orders"),
            Order.objects.select_related("customer").defer(*(f"customer__{name}" for name in _LIGHT)),
            OrderForm,
            lambda *_: OrderForm,
            update_order,
            May.SELL,
            _page("order_detail"),
            customer="customer",
            at_home=True,
        ),
        Kind(
            "lines",
            gettext_lazy("Order line"),
            gettext_lazy("Order lines"),
            OrderLine.objects.select_related("order__customer", "product").defer(
                "product__search_text", *(f"order__customer__{name}" for name in _LIGHT)
            ),
            LineForm,
            lambda *_: LineForm,
            update_line,
            May.SELL,
            lambda line: reverse("order_detail", args=[line.order_id]),
            customer="order__customer",
            at_home=True,
        ),
        Kind(
            "products",
            gettext_lazy("Product"),
            gettext_lazy("Products"),
            Product.objects.defer("search_text"),
            ProductForm,
            lambda *_: ProductForm,
            update_product,
            May.EDIT_CATALOG,
            _page("product_detail"),
        ),
        Kind(
            "activities",
            gettext_lazy("Visit or call"),
            gettext_lazy("Visits and calls"),
            Activity.objects.select_related("customer", "contact").defer(
                *(f"customer__{name}" for name in _LIGHT), *(f"contact__{name}" for name in _LIGHT)
            ),
            ActivityForm,
            lambda _, activity: activity_form(activity.customer),
            update_activity,
            May.SELL,
            _page("activity_edit"),
            customer="customer",
        ),
    )
}
BY_TABLE: Mapping[str, Kind] = {kind.table: kind for kind in KINDS.values()}

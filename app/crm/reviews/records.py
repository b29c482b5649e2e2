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

from crm.accounts.forms import AccountForm, account_form
from crm.accounts.models import User
from crm.accounts.roles import May, role_may
from crm.accounts.services import update_account
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
    own: bool = False
    """It is of a person, who may change it as well."""
    on_form: bool = True
    """Its page is the form, for who may change it; else a page that all may see."""

    @cached_property
    def model(self) -> type[Replicated]:
        return self.rows.model

    @cached_property
    def table(self) -> str:
        """As replication names it."""
        return f"public.{self.model._meta.db_table}"  # noqa: SLF001  (Django documents _meta)

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """What people can edit, by the column's name."""
        found = {}
        for name in self.widest.row_fields():
            field = self.fields[self.model._meta.get_field(name).attname]  # type: ignore[union-attr]  # noqa: SLF001  (as above)
            found[field.attname] = Column(name, self.widest.base_fields[name].label or name, field)
        return found

    @cached_property
    def fields(self) -> "Mapping[str, Field[Any, Any]]":
        """The model's fields, by the column's name."""
        return {field.attname: field for field in self.model._meta.concrete_fields}  # noqa: SLF001  (as above)

    def column(self, name: str) -> Column | None:
        """A column, whether or not people edit it; None for what the model lacks, such as the record's existence."""
        field = self.fields.get(name)
        return self.columns.get(name) or (Column(field.name, field.verbose_name, field) if field else None)

    def label(self, column: str) -> str:
        """What people call a column."""
        known = self.column(column)
        return capfirst(str(known.label)) if known else _("The record itself")

    def get_rows(self, keys: Sequence[UUID]) -> Mapping[UUID, Any]:
        """The records under these keys that are here."""
        return {row.pk: row for row in self.rows.filter(pk__in=keys)}

    def barrier(self, user: User, row: Replicated | None, columns: Sequence[str]) -> str:
        """Why this person may not change these columns, with who may; empty if nothing is in the way."""
        if not role_may(user.role, self.may) and not (self.own and row == user):
            return _("Your role does not change this. Somebody whose role does can answer.")
        if self.at_home and row is not None and row.owner_site != this_site().name:
            return _("This belongs to %s, and is changed and answered there.") % site_title(row.owner_site)
        allowed = self.form(user, row).row_fields() if row is not None else ()
        named = [known.name for known in map(self.column, columns) if known]
        if row is not None and not set(named) <= set(allowed):
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


def asking_keys(table: str) -> list[str]:
    """The unique keys about whose conflicts the rules ask a person."""
    return [name for name, unique in config().rules.table(table).unique_keys.items() if unique.review]


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
            on_form=False,
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
            on_form=False,
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
            on_form=False,
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
            on_form=False,
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
        Kind(
            "accounts",
            gettext_lazy("Account"),
            gettext_lazy("Accounts"),
            User.objects.defer("password"),
            AccountForm,
            lambda user, _: account_form(user),
            update_account,
            May.EDIT_ACCOUNTS,
            _page("account_edit"),
            own=True,
        ),
    )
}
BY_TABLE: Mapping[str, Kind] = {kind.table: kind for kind in KINDS.values()}
BY_MODEL: Mapping[type[Any], Kind] = {kind.model: kind for kind in KINDS.values()}

"""Orders and their lines.

1. An amount and its currency are one group under the rules: they travel and win together.
2. An order's lines and totals are written at the order's own site only (`owner_site`), so its stored
   totals are always the sums of its lines; another site reads them.
3. `amount` of a line is what the customer pays for it: quantity times unit price less discount,
   to the cent, as it was typed or imported.
"""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.catalog.models import Product
from crm.core.choices import Currency
from crm.core.models import Replicated, Sourced
from crm.customers.models import Customer


class Status(models.TextChoices):
    """How far the order is."""

    DRAFT = "draft", _("Draft")
    CONFIRMED = "confirmed", _("Confirmed")
    SHIPPED = "shipped", _("Shipped")
    DONE = "done", _("Completed")
    CANCELLED = "cancelled", _("Cancelled")


class Order(Replicated, Sourced):
    """A sale to one customer in one currency."""

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="orders", db_index=False)
    number = models.CharField(_("number"), max_length=40)
    status = models.CharField(_("status"), max_length=15, choices=Status, default=Status.DRAFT)
    ordered_at = models.DateTimeField(_("ordered"))
    currency = models.CharField(_("currency"), max_length=3, choices=Currency)
    total = models.DecimalField(_("total"), max_digits=14, decimal_places=2, default=0)
    discount_total = models.DecimalField(_("discount"), max_digits=14, decimal_places=2, default=0)
    line_count = models.IntegerField(_("lines"), default=0)
    store_ref = models.CharField(_("store"), max_length=31, blank=True, default="")
    taken_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("taken by"),
        null=True,
        blank=True,
        related_name="orders",
        db_index=False,
    )
    note = models.TextField(_("note"), blank=True, default="")

    class Meta:
        indexes = (
            models.Index(fields=["customer", "ordered_at", "id"], name="order_customer_when"),
            models.Index(fields=["ordered_at", "id"], name="order_recent"),
            models.Index(
                fields=["owner_site", "ordered_at", "id"],
                include=["currency", "total", "customer", "status"],
                name="order_report",
            ),
            models.Index(fields=["number"], name="order_number"),
            models.Index(fields=["source", "source_ref"], name="order_source"),
        )

    def __str__(self) -> str:
        return self.number


class OrderLine(Replicated, Sourced):
    """One product on an order."""

    order = models.ForeignKey(Order, models.PROTECT, related_name="lines", db_index=False)
    position = models.IntegerField(_("position"))
    product = models.ForeignKey(Product, models.PROTECT, related_name="+", db_index=False)
    quantity = models.DecimalField(_("quantity"), max_digits=14, decimal_places=3)
    unit_price = models.DecimalField(_("unit price"), max_digits=16, decimal_places=4)
    discount = models.DecimalField(_("discount"), max_digits=14, decimal_places=2, default=0)
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)
    currency = models.CharField(max_length=3, choices=Currency)

    class Meta:
        indexes = (models.Index(fields=["order", "position"], name="line_order_position"),)

    def __str__(self) -> str:
        return f"{self.position}"

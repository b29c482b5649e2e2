"""What people type about orders."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from crm.core.forms import Moment, RowForm
from crm.sales.models import Order, OrderLine


class OrderForm(RowForm[Order]):
    """An order's head. The currency is chosen once, when the order is opened."""

    ordered_at = Moment(label=_("ordered"))

    class Meta:
        model = Order
        fields: tuple[str, ...] = ("ordered_at", "status", "note")
        widgets = {"note": forms.Textarea({"rows": 3})}  # noqa: RUF012  (Django's own attribute)


class NewOrderForm(OrderForm):
    """A new order's head."""

    class Meta(OrderForm.Meta):
        fields = ("currency", "ordered_at", "status", "note")


class LineForm(RowForm[OrderLine]):
    """A line: how many, at what price, less what."""

    class Meta:
        model = OrderLine
        fields = ("quantity", "unit_price", "discount")

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        gross = cleaned.get("quantity", Decimal(0)) * cleaned.get("unit_price", Decimal(0))
        if cleaned.get("discount") is not None and not 0 <= cleaned["discount"] <= max(gross, Decimal(0)):
            self.add_error("discount", _("A discount is between nothing and the whole price."))
        return cleaned


class AddLineForm(forms.Form):
    """A product to put on an order."""

    key = forms.UUIDField()
    product = forms.UUIDField()
    quantity = forms.DecimalField(max_digits=14, decimal_places=3)
    unit_price = forms.DecimalField(max_digits=16, decimal_places=4)

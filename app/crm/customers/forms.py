"""What people type about customers and contacts."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from crm.accounts.models import User
from crm.accounts.roles import May, role_may
from crm.accounts.selectors import get_colleagues
from crm.core.forms import RowForm
from crm.core.sites import this_site
from crm.customers.models import Contact, Customer


class CustomerForm(RowForm[Customer]):
    """A company or a household."""

    class Meta:
        model = Customer
        fields: tuple[str, ...] = (
            "kind", "name", "name_lang", "latin_name", "stage", "industry", "keeper", "tax_id", "phone", "email",
            "address", "city", "country", "currency", "terms", "note",
        )  # fmt: skip
        help_texts = {  # noqa: RUF012  (Django's own attribute)
            "name": _("As they write it themselves, in their own script."),
            "latin_name": _("As they spell it in Latin letters."),
            "country": _("Two letters, such as TW, CN or US."),
        }
        widgets = {"note": forms.Textarea({"rows": 3})}  # noqa: RUF012

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        keeper = self.fields["keeper"]
        assert isinstance(keeper, forms.ModelChoiceField)
        site = self.instance.owner_site or this_site().name
        keeper.queryset = get_colleagues(site=site, and_user=self.instance.keeper)

    def clean_country(self) -> str:
        return str(self.cleaned_data["country"]).upper()


class CreditForm(CustomerForm):
    """The same with the credit limit, which headquarters grants."""

    class Meta(CustomerForm.Meta):
        fields = (*CustomerForm.Meta.fields, "credit_limit", "credit_currency")

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.cleaned_data.get("credit_limit") is not None and not self.cleaned_data.get("credit_currency"):
            self.add_error("credit_currency", _("A limit needs its currency."))
        return cleaned


def customer_form(user: User) -> type[CustomerForm]:
    """The form that this person may fill in."""
    return CreditForm if role_may(user.role, May.GRANT_CREDIT) else CustomerForm


class ContactForm(RowForm[Contact]):
    """A person at a customer."""

    class Meta:
        model = Contact
        fields = ("name", "name_lang", "latin_name", "job", "phone", "mobile", "email", "is_active", "note")
        widgets = {"note": forms.Textarea({"rows": 3})}  # noqa: RUF012

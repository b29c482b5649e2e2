"""What people type about visits, calls, mails and notes."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from crm.activities.models import Activity
from crm.core.forms import Moment, RowForm
from crm.customers.models import Contact, Customer


class ActivityForm(RowForm[Activity]):
    """One activity with a customer."""

    starts_at = Moment(label=_("when"))

    class Meta:
        model = Activity
        fields = ("kind", "state", "subject", "starts_at", "minutes", "contact", "place", "body")
        widgets = {"body": forms.Textarea({"rows": 5})}  # noqa: RUF012  (Django's own attribute)

    def offer_contacts(self, customer: Customer) -> None:
        """Offer the people at this customer, and no others."""
        contact = self.fields["contact"]
        assert isinstance(contact, forms.ModelChoiceField)
        contact.queryset = Contact.objects.filter(customer=customer).order_by("-is_active", "name")


def activity_form(customer: Customer) -> type[ActivityForm]:
    """The form for activities with this customer."""

    class Bound(ActivityForm):
        class Meta(ActivityForm.Meta):
            pass

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.offer_contacts(customer)

    return Bound

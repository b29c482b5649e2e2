"""What changes customers and contacts. The search text is written with the row, so that it travels."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from crm.core.folding import search_text
from crm.core.sites import this_site
from crm.core.versions import Outcome
from crm.core.writing import write_edit, write_new
from crm.customers.models import Contact, Customer


def customer_search_text(values: Mapping[str, Any]) -> str:
    """What a customer is found by; for loaders too."""
    texts = [values["name"], values["latin_name"], values["tax_id"], values["email"], values["city"]]
    return search_text(texts=texts, phones=[values["phone"]])


def contact_search_text(values: Mapping[str, Any]) -> str:
    """What a contact is found by; for loaders too."""
    texts = [values["name"], values["latin_name"], values["email"]]
    return search_text(texts=texts, phones=[values["phone"], values["mobile"]])


def create_customer(*, key: UUID, values: Mapping[str, Any], by: UUID | None) -> Customer:
    """Add a customer of this site; the same key again gives the customer that is there."""
    own = {"owner_site": this_site().name, "search_text": customer_search_text(values)}
    return write_new(Customer.objects.all(), key=key, values={**values, **own}, by=by)


def update_customer(
    *, key: UUID, fields: tuple[str, ...], seen: str, typed: Mapping[str, Any], by: UUID | None
) -> Outcome:
    """Save what changed of a customer, or tell what clashes."""
    return write_edit(
        Customer.objects.all(),
        key=key,
        fields=fields,
        seen=seen,
        typed=typed,
        by=by,
        derive=lambda after: {"search_text": customer_search_text(after)},
    )


def create_contact(*, key: UUID, customer: Customer, values: Mapping[str, Any], by: UUID | None) -> Contact:
    """Add a person at a customer; it belongs to the customer's site."""
    own = {"customer": customer, "owner_site": customer.owner_site, "search_text": contact_search_text(values)}
    return write_new(Contact.objects.all(), key=key, values={**values, **own}, by=by)


def update_contact(
    *, key: UUID, fields: tuple[str, ...], seen: str, typed: Mapping[str, Any], by: UUID | None
) -> Outcome:
    """Save what changed of a contact, or tell what clashes."""
    return write_edit(
        Contact.objects.all(),
        key=key,
        fields=fields,
        seen=seen,
        typed=typed,
        by=by,
        derive=lambda after: {"search_text": contact_search_text(after)},
    )

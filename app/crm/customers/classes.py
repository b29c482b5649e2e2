"""Whose data a field holds: what a rule of who receives what (`sitecfg/RESIDENCY.md`) must think of.

*plain* is about a company or about our own business; *personal* tells something of a person who can be found by it;
*sensitive* would harm that person in the wrong hands, so that laws want it kept closest. A free text counts as what is
written into such a field. Keys, times and references are plain: they say nothing without the row that they belong to.
"""

from collections.abc import Mapping
from typing import Literal

FieldClass = Literal["plain", "personal", "sensitive"]

_ROW: Mapping[str, FieldClass] = {
    "id": "plain",
    "owner_site": "plain",
    "created_at": "plain",
    "updated_at": "plain",
    "source": "plain",
    "source_ref": "plain",
}

CUSTOMER: Mapping[str, FieldClass] = {
    **_ROW,
    "kind": "plain",
    "name": "plain",  # a company's; a household is called by a number in what is imported
    "name_lang": "plain",
    "latin_name": "plain",
    "parent": "plain",
    "stage": "plain",
    "industry": "plain",
    "tax_id": "personal",  # a sole trader's is a person's
    "phone": "personal",
    "email": "personal",
    "address": "personal",
    "city": "plain",
    "country": "plain",
    "currency": "plain",
    "terms": "plain",
    "credit_limit": "plain",
    "credit_currency": "plain",
    "keeper": "plain",
    "note": "personal",
    "search_text": "personal",  # repeats the others
}

CONTACT: Mapping[str, FieldClass] = {
    **_ROW,
    "customer": "plain",
    "name": "personal",
    "name_lang": "plain",
    "latin_name": "personal",
    "job": "personal",
    "phone": "personal",
    "mobile": "personal",
    "email": "personal",
    "is_active": "plain",
    "note": "sensitive",  # what somebody wrote of a person
    "search_text": "personal",
}

ACTIVITY: Mapping[str, FieldClass] = {
    **_ROW,
    "customer": "plain",
    "contact": "plain",
    "kind": "plain",
    "state": "plain",
    "subject": "personal",
    "text_lang": "plain",
    "body": "sensitive",
    "place": "personal",
    "starts_at": "plain",
    "minutes": "plain",
    "author": "plain",
}

CLASSES: Mapping[str, Mapping[str, FieldClass]] = {
    "customers.Customer": CUSTOMER,
    "customers.Contact": CONTACT,
    "activities.Activity": ACTIVITY,
}

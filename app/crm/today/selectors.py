"""What the start page shows of customers."""

from collections.abc import Sequence

from crm.core.sites import this_site
from crm.customers.models import Customer


def get_arrived(*, most: int = 6) -> Sequence[Customer]:
    """Other sites' customers that changed last, as they arrived here."""
    rows = Customer.objects.exclude(owner_site=this_site().name).defer("search_text", "note")
    return list(rows.order_by("-updated_at", "-id")[:most])

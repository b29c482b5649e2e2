"""What operators neither see nor edit of a change that waits: secrets, and what headquarters alone grants."""

from collections.abc import Mapping
from typing import Final

SEALED: Final[Mapping[str, frozenset[str]]] = {
    "public.accounts_user": frozenset({"username", "password", "role", "is_active", "owner_site"}),
    "public.customers_customer": frozenset({"credit_limit", "credit_currency"}),
}
"""By table. `accounts/roles.py` gives operations neither accounts nor credit; the console is no way round it."""


def sealed_of(table: str) -> frozenset[str]:
    """The sealed columns of a table, given as ``schema.table``."""
    return SEALED.get(table, frozenset())

"""What each role may do: codes in the user's row, meaning here."""

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """A person's role; a code, because it travels."""

    STAFF = "staff", _("Branch staff")
    OPS = "ops", _("Operations")
    HQ = "hq", _("Headquarters")


class May(models.TextChoices):
    """Something that not everybody may do."""

    SELL = "sell"
    EDIT_CATALOG = "edit_catalog"
    SEE_GLOBAL_REPORT = "see_global_report"
    GRANT_CREDIT = "grant_credit"
    EDIT_ACCOUNTS = "edit_accounts"
    OPERATE = "operate"


_GRANTS: Final[dict[Role, frozenset[May]]] = {
    Role.STAFF: frozenset({May.SELL}),
    Role.OPS: frozenset({May.OPERATE}),
    Role.HQ: frozenset({May.SELL, May.EDIT_CATALOG, May.SEE_GLOBAL_REPORT, May.GRANT_CREDIT, May.EDIT_ACCOUNTS}),
}


def role_may(role: str, what: May) -> bool:
    """Whether the role grants it; an unknown code grants nothing."""
    return role in Role.values and what in _GRANTS[Role(role)]

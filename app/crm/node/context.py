"""What the head of every page shows of the node."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from crm.accounts.roles import May, role_may
from crm.core.sites import this_site
from crm.node.selectors import get_standing


def standing(request: HttpRequest) -> dict[str, Any]:
    """The site and where it stands (asked for only by pages that show it), and what the reader may do."""
    role = request.user.role if request.user.is_authenticated else ""
    return {
        "site": this_site(),
        "standing": SimpleLazyObject(get_standing),
        "may": {what.value: role_may(role, what) for what in May},
    }

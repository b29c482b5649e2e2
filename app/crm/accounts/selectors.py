"""People, as the pages ask for them."""

from django.db.models import Q, QuerySet

from crm.accounts.models import User


def get_colleagues(*, site: str, and_user: User | None = None) -> QuerySet[User]:
    """Who works at a site, by name; with one more person who may work elsewhere."""
    who = Q(owner_site=site, is_active=True)
    if and_user is not None:
        who |= Q(pk=and_user.pk)
    return User.objects.filter(who).order_by("display_name")

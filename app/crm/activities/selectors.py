"""Activities, as the pages ask for them."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import QuerySet

from crm.accounts.models import User
from crm.activities.models import Activity, State
from crm.core.paging import Order, Page, page_of
from crm.core.sites import this_site

NEWEST_FIRST = Order("starts_at", descending=True, read=datetime.fromisoformat)
SOONEST_FIRST = Order("starts_at", read=datetime.fromisoformat)


def get_activity_page(*, user: User, whose: str, state: str, kind: str, mark: str) -> Page[Activity]:
    """A page of one's own, the site's or all activities; what is planned soonest first, the rest newest first."""
    rows = Activity.objects.filter(state=state or State.DONE)
    if kind:
        rows = rows.filter(kind=kind)
    if whose == "mine":
        rows = rows.filter(author=user)
    elif whose == "site":
        rows = rows.filter(owner_site=this_site().name)
    order = SOONEST_FIRST if state == State.PLANNED else NEWEST_FIRST
    return page_of(_with_names(rows), order=order, mark=mark)


def get_plan(*, user: User, until: datetime, most: int = 12) -> Sequence[Activity]:
    """What somebody has planned up to a moment, overdue first."""
    rows = Activity.objects.filter(author=user, state=State.PLANNED, starts_at__lt=until)
    return list(_with_names(rows).order_by("starts_at", "id")[:most])


def get_latest_at(site: str, *, until: datetime, most: int = 8) -> Sequence[Activity]:
    """What was last said with a site's customers."""
    rows = Activity.objects.filter(owner_site=site, state=State.DONE, starts_at__lte=until)
    return list(_with_names(rows).order_by("-starts_at", "-id")[:most])


def _with_names(rows: QuerySet[Activity]) -> QuerySet[Activity]:
    named = rows.select_related("customer", "author", "contact")
    return named.defer("customer__search_text", "customer__note", "contact__search_text", "contact__note")

"""The start page."""

from datetime import datetime, time, timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from crm.accounts.access import person
from crm.activities.selectors import get_latest_at, get_plan
from crm.core.sites import this_site
from crm.reviews.selectors import get_lost
from crm.sales.selectors import get_latest_orders, get_sales_since
from crm.today.selectors import get_arrived


def today(request: HttpRequest) -> HttpResponse:
    """What a person starts the day with."""
    midnight = timezone.make_aware(datetime.combine(timezone.localdate(), time.min))
    now, site = timezone.now(), this_site().name
    context = {
        "now": now,
        "plan": get_plan(user=person(request), until=midnight + timedelta(days=8)),
        "latest": get_latest_at(site, until=now),
        "orders": get_latest_orders(site),
        "sales": get_sales_since(midnight),
        "arrived": get_arrived(),
        "lost": get_lost(person(request)),
    }
    return render(request, "today.html", context)

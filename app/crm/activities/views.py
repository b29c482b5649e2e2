"""Pages of visits, calls, mails and notes."""

from functools import partial
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from crm.accounts.access import needs, person
from crm.accounts.roles import May
from crm.activities import selectors, services
from crm.activities.forms import activity_form
from crm.activities.models import Activity, Kind, State
from crm.core.editing import create_row, edit_row, see
from crm.customers.models import Customer

FORM = "activities/form.html"


def activity_list(request: HttpRequest) -> HttpResponse:
    """What is planned or was done, by oneself, the site or all; asked for by htmx, the rows alone."""
    asked = {"whose": "mine", "state": State.PLANNED, "kind": ""}
    asked |= {name: request.GET[name] for name in asked if name in request.GET}
    page = selectors.get_activity_page(user=person(request), mark=request.GET.get("after", ""), **asked)
    query = request.GET.copy()
    query.pop("after", None)
    context = {"page": page, "asked": asked, "query": query.urlencode(), "now": timezone.now()}
    if request.headers.get("HX-Target") == "more":
        return render(request, "activities/rows.html", context)
    if request.headers.get("HX-Target") == "found":
        return render(request, "activities/found.html", context)
    return render(request, "activities/list.html", context | {"states": State.choices, "kinds": Kind.choices})


@needs(May.SELL)
def activity_new(request: HttpRequest, key: UUID) -> HttpResponse:
    """Record something with a customer, or plan it."""
    customer = get_object_or_404(Customer, pk=key)
    user = person(request)
    kind = request.GET.get("kind", Kind.VISIT)
    state = State.PLANNED if request.GET.get("state") == State.PLANNED else State.DONE
    return create_row(
        request,
        form_class=activity_form(customer),
        create=lambda new, values: services.create_activity(key=new, customer=customer, author=user, values=values),
        then=lambda _: _customer_page(customer.pk),
        template=FORM,
        back=_customer_page(customer.pk),
        initial={"kind": kind, "state": state, "starts_at": timezone.now()},
        customer=customer,
    )


@needs(May.SELL)
def activity_edit(request: HttpRequest, key: UUID) -> HttpResponse:
    """Change an activity."""
    activity = get_object_or_404(Activity.objects.select_related("customer"), pk=key)
    return edit_row(
        request,
        row=activity,
        form_class=activity_form(activity.customer),
        save=partial(services.update_activity, by=person(request).pk),
        template=FORM,
        back=_customer_page(activity.customer_id),
        customer=activity.customer,
    )


@needs(May.SELL)
@require_POST
def activity_finish(request: HttpRequest, key: UUID) -> HttpResponse:
    """Mark a planned activity as done, from wherever it is listed."""
    get_object_or_404(Activity, pk=key)
    services.finish_activity(key=key, by=person(request).pk)
    return see(reverse("today"))


def _customer_page(key: UUID) -> str:
    return reverse("customer_detail", args=[key])

"""Pages of customers and contacts."""

from functools import partial
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from crm.accounts.access import needs, person
from crm.accounts.roles import May
from crm.core.editing import create_row, edit_row
from crm.core.paging import COUNT_CAP
from crm.core.sites import site_choices, this_site
from crm.customers import selectors, services
from crm.customers.forms import ContactForm, customer_form
from crm.customers.models import Contact, Customer, Kind, Stage
from crm.customers.timeline import get_time_line
from crm.history.selectors import get_history_page
from crm.history.words import labels_of
from crm.reviews.gathering import gather
from crm.reviews.selectors import get_open_of

FORM = "customers/form.html"


def customer_list(request: HttpRequest) -> HttpResponse:
    """The list with its search; asked for by htmx, the rows alone."""
    asked = request.GET
    wanted = selectors.Wanted(
        typed=asked.get("q", ""), site=asked.get("site", ""), kind=asked.get("kind", ""), stage=asked.get("stage", "")
    )
    page = selectors.get_customer_page(wanted, mark=asked.get("after", ""))
    context = {"page": page, "wanted": wanted, "query": _query(request)}
    if request.headers.get("HX-Target") == "more":
        return render(request, "customers/rows.html", context)
    context |= {"count": selectors.count_customers(wanted), "cap": COUNT_CAP}
    if request.headers.get("HX-Target") == "found":
        return render(request, "customers/found.html", context)
    choices = {"sites": site_choices(), "kinds": Kind.choices, "stages": Stage.choices}
    return render(request, "customers/list.html", context | choices)


def customer_detail(request: HttpRequest, key: UUID) -> HttpResponse:
    """Everything about one customer on one page."""
    customer = get_object_or_404(Customer.objects.select_related("keeper", "parent"), pk=key)
    show = request.GET.get("show", "")
    time_line = get_time_line(customer, show=show, before=request.GET.get("before", ""))
    context = {"customer": customer, "time_line": time_line, "show": show}
    if request.headers.get("HX-Target") == "more":
        return render(request, "customers/entries.html", context)
    context |= {
        "contacts": selectors.get_contacts(customer),
        "bought": selectors.get_bought(customer),
        "dealings": selectors.get_dealings(customer),
        "members": selectors.get_members(customer),
        "questions": gather(get_open_of(customer), person(request)),
    }
    return render(request, "customers/detail.html", context)


def customer_history(request: HttpRequest, key: UUID) -> HttpResponse:
    """Who changed what of a customer."""
    customer = get_object_or_404(Customer, pk=key)
    page = get_history_page(key, mark=request.GET.get("after", ""))
    rows = [(edit, labels_of(Customer, edit.columns)) for edit in page.rows]
    context = {"customer": customer, "page": page, "rows": rows}
    if request.headers.get("HX-Target") == "more":
        return render(request, "customers/changes.html", context)
    return render(request, "customers/history.html", context)


@needs(May.SELL)
def customer_new(request: HttpRequest) -> HttpResponse:
    """A new customer of this site."""
    user = person(request)
    return create_row(
        request,
        form_class=customer_form(user),
        create=lambda key, values: services.create_customer(key=key, values=values, by=user.pk),
        then=_address,
        template=FORM,
        back=reverse("customer_list"),
        initial={"currency": this_site().currency, "keeper": user.pk},
    )


@needs(May.SELL)
def customer_edit(request: HttpRequest, key: UUID) -> HttpResponse:
    """Change a customer, of whichever site."""
    customer = get_object_or_404(Customer.objects.select_related("keeper"), pk=key)
    return edit_row(
        request,
        row=customer,
        form_class=customer_form(person(request)),
        save=partial(services.update_customer, by=person(request).pk),
        template=FORM,
        back=_address(customer),
    )


@needs(May.SELL)
def contact_new(request: HttpRequest, key: UUID) -> HttpResponse:
    """A new person at a customer."""
    customer = get_object_or_404(Customer, pk=key)
    by = person(request).pk
    return create_row(
        request,
        form_class=ContactForm,
        create=lambda new, values: services.create_contact(key=new, customer=customer, values=values, by=by),
        then=lambda _: _address(customer),
        template="customers/contact.html",
        back=_address(customer),
        initial={"name_lang": customer.name_lang},
        customer=customer,
    )


@needs(May.SELL)
def contact_edit(request: HttpRequest, key: UUID) -> HttpResponse:
    """Change a person at a customer."""
    contact = get_object_or_404(Contact.objects.select_related("customer"), pk=key)
    return edit_row(
        request,
        row=contact,
        form_class=ContactForm,
        save=partial(services.update_contact, by=person(request).pk),
        template="customers/contact.html",
        back=_address(contact.customer),
        customer=contact.customer,
    )


def _address(customer: Customer) -> str:
    return reverse("customer_detail", args=[customer.pk])


def _query(request: HttpRequest) -> str:
    """The list's own address without the mark of a page."""
    asked = request.GET.copy()
    asked.pop("after", None)
    return asked.urlencode()

"""Pages of orders."""

import uuid
from functools import partial
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.accounts.access import needs, person
from crm.accounts.roles import May
from crm.catalog.models import Product
from crm.catalog.selectors import suggest_products
from crm.core.editing import create_row, edit_row, see
from crm.core.paging import COUNT_CAP
from crm.core.sites import site_choices, site_title
from crm.customers.models import Customer
from crm.sales import selectors, services
from crm.sales.forms import AddLineForm, LineForm, NewOrderForm, OrderForm
from crm.sales.models import Order, OrderLine, Status

FORM = "sales/form.html"


def order_list(request: HttpRequest) -> HttpResponse:
    """The list of orders; asked for by htmx, the rows alone."""
    asked = {name: request.GET.get(name, "") for name in ("number", "site", "status")}
    query = request.GET.copy()
    query.pop("after", None)
    page = selectors.get_order_page(**asked, mark=request.GET.get("after", ""))
    context = {"page": page, "asked": asked, "query": query.urlencode()}
    if request.headers.get("HX-Target") == "more":
        return render(request, "sales/rows.html", context)
    context |= {"count": selectors.count_orders(**asked), "cap": COUNT_CAP}
    if request.headers.get("HX-Target") == "found":
        return render(request, "sales/found.html", context)
    return render(request, "sales/list.html", context | {"sites": site_choices(), "statuses": Status.choices})


def order_detail(request: HttpRequest, key: UUID) -> HttpResponse:
    """One order with its lines."""
    order = get_object_or_404(Order.objects.select_related("customer", "taken_by"), pk=key)
    page = selectors.get_line_page(order, mark=request.GET.get("after", ""))
    context = {"order": order, "page": page, "is_here": selectors.is_here(order)}
    if request.headers.get("HX-Target") == "more":
        return render(request, "sales/line_rows.html", context)
    return render(request, "sales/detail.html", context)


@needs(May.SELL)
def order_new(request: HttpRequest, key: UUID) -> HttpResponse:
    """A new order of a customer, of this site."""
    customer = get_object_or_404(Customer, pk=key)
    user = person(request)
    return create_row(
        request,
        form_class=NewOrderForm,
        create=lambda new, values: services.create_order(key=new, customer=customer, taken_by=user, values=values),
        then=lambda order: _address(order.pk),
        template=FORM,
        back=reverse("customer_detail", args=[customer.pk]),
        initial={"currency": customer.currency, "ordered_at": timezone.now()},
        customer=customer,
    )


@needs(May.SELL)
def order_edit(request: HttpRequest, key: UUID) -> HttpResponse:
    """Change an order's head, at its own site."""
    order = get_object_or_404(Order.objects.select_related("customer"), pk=key)
    if not selectors.is_here(order):
        return _not_here(request, order)
    return edit_row(
        request,
        row=order,
        form_class=OrderForm,
        save=partial(services.update_order, by=person(request).pk),
        template=FORM,
        back=_address(key),
        customer=order.customer,
    )


def line_suggestions(request: HttpRequest, key: UUID) -> HttpResponse:
    """Products to put on an order, each with a form of its own; for htmx, these alone."""
    order = get_object_or_404(Order, pk=key)
    typed = request.GET.get("product", "")
    found = suggest_products(typed)
    rows = [(product, uuid.uuid4()) for product in found]
    template = "sales/suggestions.html" if request.headers.get("HX-Request") else "sales/suggestions_page.html"
    return render(request, template, {"order": order, "rows": rows, "typed": typed})


@needs(May.SELL)
@require_POST
def line_add(request: HttpRequest, key: UUID) -> HttpResponse:
    """Put a product on an order."""
    order = get_object_or_404(Order, pk=key)
    form = AddLineForm(request.POST)
    if not selectors.is_here(order):
        return _not_here(request, order)
    if not form.is_valid():
        messages.error(request, _("The line was not added: quantity and price must be numbers."))
        return see(_address(key))
    typed = form.cleaned_data
    product = get_object_or_404(Product, pk=typed["product"])
    services.add_line(
        key=typed["key"], order=key, product=product, quantity=typed["quantity"], unit_price=typed["unit_price"]
    )
    return see(_address(key) + "#add")


@needs(May.SELL)
def line_edit(request: HttpRequest, key: UUID) -> HttpResponse:
    """Change a line, at the order's own site."""
    line = get_object_or_404(OrderLine.objects.select_related("order__customer", "product"), pk=key)
    if not selectors.is_here(line.order):
        return _not_here(request, line.order)
    return edit_row(
        request,
        row=line,
        form_class=LineForm,
        save=partial(services.update_line, by=person(request).pk),
        template="sales/line.html",
        back=_address(line.order_id),
        order=line.order,
    )


@needs(May.SELL)
@require_POST
def line_remove(request: HttpRequest, key: UUID) -> HttpResponse:
    """Take a line off its order."""
    line = get_object_or_404(OrderLine.objects.select_related("order"), pk=key)
    if not selectors.is_here(line.order):
        return _not_here(request, line.order)
    services.remove_line(key=key, order=line.order_id)
    return see(_address(line.order_id))


def _not_here(request: HttpRequest, order: Order) -> HttpResponse:
    told = _("This order belongs to %s; it is changed there, so that its total is always right.")
    messages.error(request, told % site_title(order.owner_site))
    return see(_address(order.pk))


def _address(key: UUID) -> str:
    return reverse("order_detail", args=[key])

"""Pages of products."""

from functools import partial
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from crm.accounts.access import needs, person
from crm.accounts.roles import May
from crm.catalog import selectors, services
from crm.catalog.forms import ProductForm
from crm.catalog.models import Product
from crm.core.editing import create_row, edit_row
from crm.core.paging import COUNT_CAP
from crm.core.sites import this_site

FORM = "catalog/form.html"


def product_list(request: HttpRequest) -> HttpResponse:
    """The list with its search; asked for by htmx, the rows alone."""
    asked = {"typed": request.GET.get("q", ""), "department": request.GET.get("department", "")}
    page = selectors.get_product_page(**asked, mark=request.GET.get("after", ""))
    query = request.GET.copy()
    query.pop("after", None)
    context = {"page": page, "asked": asked, "query": query.urlencode()}
    if request.headers.get("HX-Target") == "more":
        return render(request, "catalog/rows.html", context)
    context |= {"count": selectors.count_products(**asked), "cap": COUNT_CAP}
    if request.headers.get("HX-Target") == "found":
        return render(request, "catalog/found.html", context)
    return render(request, "catalog/list.html", context | {"departments": selectors.get_departments()})


def product_detail(request: HttpRequest, key: UUID) -> HttpResponse:
    """One product."""
    return render(request, "catalog/detail.html", {"product": get_object_or_404(Product, pk=key)})


@needs(May.EDIT_CATALOG)
def product_new(request: HttpRequest) -> HttpResponse:
    """A new product."""
    by = person(request).pk
    return create_row(
        request,
        form_class=ProductForm,
        create=lambda key, values: services.create_product(key=key, values=values, by=by),
        then=_address,
        template=FORM,
        back=reverse("product_list"),
        initial={"currency": this_site().currency},
    )


@needs(May.EDIT_CATALOG)
def product_edit(request: HttpRequest, key: UUID) -> HttpResponse:
    """Change a product."""
    product = get_object_or_404(Product, pk=key)
    return edit_row(
        request,
        row=product,
        form_class=ProductForm,
        save=partial(services.update_product, by=person(request).pk),
        template=FORM,
        back=_address(product),
    )


def _address(product: Product) -> str:
    return reverse("product_detail", args=[product.pk])

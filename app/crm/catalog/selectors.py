"""Products, as the pages ask for them."""

from collections.abc import Sequence

from django.db.models import QuerySet

from crm.catalog.models import Product
from crm.core.paging import Order, Page, capped_count, page_of
from crm.core.searching import matching

BY_NAME = Order("name")


def find_products(*, typed: str = "", department: str = "") -> QuerySet[Product]:
    """Products whose name, code, brand or category match."""
    rows = Product.objects.defer("search_text")
    if department:
        rows = rows.filter(department=department)
    return matching(rows, typed) if typed.strip() else rows


def get_product_page(*, typed: str, department: str, mark: str) -> Page[Product]:
    """A page of the list by name."""
    return page_of(find_products(typed=typed, department=department), order=BY_NAME, mark=mark)


def count_products(*, typed: str, department: str) -> int:
    """How many match, up to the cap and one more."""
    return capped_count(find_products(typed=typed, department=department))


def suggest_products(typed: str, *, most: int = 8) -> Sequence[Product]:
    """A few products on sale that match, the one with that very code first."""
    if not typed.strip():
        return []
    on_sale = Product.objects.filter(is_active=True).defer("search_text")
    exact = list(on_sale.filter(code__iexact=typed.strip())[:1])
    others = matching(on_sale, typed).exclude(pk__in=[each.pk for each in exact]).order_by("name", "id")
    return [*exact, *others[: most - len(exact)]]


# Departments are few among many products: walk the index from one to the next instead of reading all.
_DEPARTMENTS = """
with recursive walk(department) as (
    (select department from catalog_product where department > '' order by department limit 1)
    union all
    select (select p.department from catalog_product p where p.department > walk.department
            order by p.department limit 1)
    from walk where walk.department is not null
)
select department as id, department from walk where department is not null
"""


def get_departments() -> list[str]:
    """All departments, by name."""
    return [each.department for each in Product.objects.raw(_DEPARTMENTS)]

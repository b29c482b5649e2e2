"""Rows of the real data, as the models' columns want them. Pure.

1. A line's amount is what the store receives (`sales_value`), its discount what the store lets off
   (`retail_disc` and `coupon_match_disc`), its unit price the regular price that follows from the two. A
   manufacturer's coupon (`coupon_disc`) is the manufacturer's money, so it lowers neither.
2. Where the quantity is 0 there is no unit price: it is 0.
3. Money is the data's: US dollars, at every site.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from crm.catalog.services import product_search_text
from crm.demo.keys import REAL, key_of
from crm.demo.source import Basket, FirstSale, Line, Product
from crm.sales.models import Status

Row = dict[str, Any]

CURRENCY: Final = "USD"
_PRICE_PLACES = Decimal("0.0001")


def real(kind: str, ref: object, *, site: str, moment: datetime) -> Row:
    """What all rows of the real data have."""
    stamps = {"created_at": moment, "updated_at": moment}
    return {"id": key_of(kind, ref), "owner_site": site, "source": REAL, "source_ref": str(ref), **stamps}


def product_row(product: Product, sale: FirstSale, *, site: str) -> Row:
    """A product; the data know no names and no list prices, so it goes by its type and its first price."""
    name = product.type or product.category or product.department or f"Product {product.ref}"
    row = real("product", product.ref, site=site, moment=sale.moment) | {
        "code": str(product.ref),
        "name": name.title(),
        "department": product.department,
        "category": product.category,
        "brand": product.brand,
        "manufacturer": product.manufacturer,
        "package_size": product.package,
        "list_price": None if sale.price is None else money(sale.price),
        "currency": "" if sale.price is None else CURRENCY,
    }
    return row | {"search_text": product_search_text(row)}


def order_row(basket: Basket, *, site: str) -> Row:
    """A basket as a completed order with its lines' sums."""
    return real("basket", basket.ref, site=site, moment=basket.moment) | {
        "customer_id": key_of("household", basket.household),
        "number": f"CJ-{basket.ref}",
        "status": Status.DONE.value,
        "ordered_at": basket.moment,
        "currency": CURRENCY,
        "total": money(sum(line.sales for line in basket.lines)),
        "discount_total": money(sum(line.discount for line in basket.lines)),
        "line_count": len(basket.lines),
        "store_ref": str(basket.store),
    }


def line_rows(baskets: Iterable[Basket], *, site: str) -> Iterator[Row]:
    """The baskets' lines; a product stands in a basket once."""
    for basket in baskets:
        order = key_of("basket", basket.ref)
        for position, line in enumerate(basket.lines, start=1):
            yield real("line", f"{basket.ref}:{line.product}", site=site, moment=basket.moment) | {
                "order_id": order,
                "position": position,
                "product_id": key_of("product", line.product),
                "quantity": line.quantity,
                "unit_price": unit_price(line),
                "discount": money(line.discount),
                "amount": money(line.sales),
                "currency": CURRENCY,
            }


def unit_price(line: Line) -> Decimal:
    """The regular price of one piece."""
    if line.quantity == 0:
        return Decimal(0)
    return (money(line.sales + line.discount) / line.quantity).quantize(_PRICE_PLACES)


def money(cents: int) -> Decimal:
    """Cents as an amount, exactly."""
    return Decimal(cents).scaleb(-2)

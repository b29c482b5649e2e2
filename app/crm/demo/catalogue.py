"""The catalogue: what the data describe, and the few products that are sold there but described nowhere."""

from dataclasses import dataclass
from datetime import datetime

from crm.demo.rows import Row, product_row
from crm.demo.source import BEGIN, FirstSale, Product, read_first_sales, read_products


@dataclass(frozen=True)
class Entry:
    """A product with its first sale, if there ever was one."""

    product: Product
    sale: FirstSale | None

    def is_sold_before(self, moment: datetime) -> bool:
        return self.sale is not None and self.sale.moment < moment

    def row(self, *, site: str) -> Row:
        return product_row(self.product, self.sale or FirstSale(BEGIN, None), site=site)


def read_catalogue() -> dict[int, Entry]:
    """All products by number, in the order of their numbers."""
    sales = read_first_sales()
    products = {ref: Product(ref) for ref in sales} | {product.ref: product for product in read_products()}
    return {ref: Entry(products[ref], sales.get(ref)) for ref in sorted(products)}

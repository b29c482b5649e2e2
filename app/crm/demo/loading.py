"""A site's share of the sample data into its database.

1. Everything is written at one site only (see `homes`), in transactions of some thousand rows, so that
   replication keeps up while the load goes on.
2. A customer comes before its orders; an order and its lines are one transaction.
3. What is there already stays: a load that was broken off goes on where it stopped.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Final, TypeVar

from psycopg import Connection

from crm.catalog.models import Product
from crm.demo import source
from crm.demo.baskets import BasketWriter, write_customers
from crm.demo.catalogue import Entry, read_catalogue
from crm.demo.copying import copy_missing
from crm.demo.customers import company, together
from crm.demo.homes import Share
from crm.demo.rates import Rate, Say
from crm.demo.source import Basket
from sitecfg import Site

T = TypeVar("T")

_PRODUCTS_AT_ONCE = 4000
_COMPANIES_AT_ONCE = 500
_LINES_AT_ONCE = 4000


@dataclass(frozen=True)
class Size:
    """How much is loaded: orders before `end`, companies for each site, and the products that are sold
    before `catalogue_end`, which is later so that a replay finds its own; None: all, sold or not."""

    end: datetime
    companies: int
    catalogue_end: datetime | None

    def has(self, entry: Entry) -> bool:
        return self.catalogue_end is None or entry.is_sold_before(self.catalogue_end)


SIZES: Final = {
    "demo": Size(end=source.DEMO_END, companies=40, catalogue_end=source.DEMO_END + timedelta(days=2)),
    "full": Size(end=source.END, companies=400, catalogue_end=None),
}


class Load:
    """One site's load. `say` is told how it goes."""

    def __init__(self, connection: Connection, site: Site, *, day: date, say: Say) -> None:
        self.connection, self.site, self.day, self.say = connection, site, day, say
        self._writer = BasketWriter(connection, site)

    def load_products(self, size: Size) -> int:
        """Headquarters' catalogue."""
        rate = Rate(self.say, "products")
        wanted = (entry.row(site=self.site.name) for entry in read_catalogue().values() if size.has(entry))
        for rows in chunks(wanted, _PRODUCTS_AT_ONCE):
            with self.connection.transaction():
                rate.count(copy_missing(self.connection, Product, rows))
        return rate.end()

    def load_companies(self, size: Size) -> int:
        """The companies that this site courts."""
        rate = Rate(self.say, "companies")
        self._writer.wait_for_account()
        folders = (company(number, site=self.site, day=self.day) for number in range(1, size.companies + 1))
        for some in chunks(folders, _COMPANIES_AT_ONCE):
            with self.connection.transaction():
                rate.count(write_customers(self.connection, together(some)))
        return rate.end()

    def load_orders(self, size: Size, share: Share) -> int:
        """The baskets of this site's households, and each household before its first."""
        rate = Rate(self.say, "order lines")
        for some in _by_lines(source.read_baskets(share, end=size.end)):
            rate.count(self._writer.write(some))
        return rate.end()


def chunks(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """The things in lists of at most `size`."""
    rest = iter(things)
    while some := list(islice(rest, size)):
        yield some


def _by_lines(baskets: Iterable[Basket]) -> Iterator[list[Basket]]:
    """Whole baskets in lists of about as many lines as one transaction shall have."""
    some: list[Basket] = []
    lines = 0
    for basket in baskets:
        some.append(basket)
        lines += len(basket.lines)
        if lines >= _LINES_AT_ONCE:
            yield some
            some, lines = [], 0
    if some:
        yield some

"""Baskets into the database of their households' home.

1. An order and its lines are one transaction, and so is a household that is not there yet with its first.
2. A household whose second basket comes becomes a repeat customer, unless people have put it elsewhere.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Final, LiteralString
from uuid import UUID

from psycopg import Connection

from crm.accounts.models import User
from crm.activities.models import Activity
from crm.catalog.models import Product
from crm.customers.models import Contact, Customer, Stage
from crm.demo import source
from crm.demo.copying import copy_missing, copy_new, present
from crm.demo.customers import Folder, household, together
from crm.demo.keys import key_of
from crm.demo.rows import line_rows, order_row
from crm.demo.source import Basket
from crm.demo.waiting import PATIENCE_SECONDS, Arrivals
from crm.sales.models import Order, OrderLine
from sitecfg import Site

_PROMOTE: Final[LiteralString] = """
update customers_customer as customer set stage = 'repeat', updated_at = again.moment
from unnest(%s::uuid[], %s::timestamptz[]) as again(id, moment)
where customer.id = again.id and customer.stage = 'first'
"""


def write_customers(connection: Connection, folder: Folder) -> int:
    """Customers that are not there, with what belongs to them; returns how many."""
    count = copy_missing(connection, Customer, folder.customers)
    copy_missing(connection, Contact, folder.contacts)
    copy_missing(connection, Activity, folder.activities)
    return count


class BasketWriter:
    """Writes baskets at one site."""

    def __init__(self, connection: Connection, site: Site, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.connection, self.site = connection, site
        self._accounts = Arrivals(connection, User, patience_seconds)
        self._products = Arrivals(connection, Product, patience_seconds)

    def wait_for_account(self) -> None:
        """Return once the site's own account, which keeps its customers, is here."""
        self._accounts.wait_for([key_of("account", self.site.name)])

    def write(self, baskets: Sequence[Basket]) -> int:
        """Write those that are not there in one transaction; returns the number of their lines."""
        there = present(self.connection, Order, [key_of("basket", basket.ref) for basket in baskets])
        new = [basket for basket in baskets if key_of("basket", basket.ref) not in there]
        self.wait_for_account()
        self._products.wait_for({key_of("product", line.product) for basket in new for line in basket.lines})
        with self.connection.transaction():
            self._write_households(new)
            copy_new(self.connection, Order, (order_row(basket, site=self.site.name) for basket in new))
            return copy_new(self.connection, OrderLine, line_rows(new, site=self.site.name))

    def _write_households(self, baskets: Iterable[Basket]) -> None:
        latest = {basket.household: basket for basket in baskets}
        visits = Counter(basket.household for basket in baskets)
        keys = {ref: key_of("household", ref) for ref in latest}
        there = present(self.connection, Customer, keys.values())
        self._promote({key: latest[ref] for ref, key in keys.items() if key in there})
        fresh = [self._household(ref, visits[ref]) for ref, key in keys.items() if key not in there]
        write_customers(self.connection, together(fresh))

    def _household(self, ref: int, visits: int) -> Folder:
        stage = Stage.REPEAT if visits > 1 else Stage.FIRST
        since = self._first_purchases[ref]
        return household(ref, self._demographics.get(ref), site=self.site, since=since, stage=stage)

    def _promote(self, again: Mapping[UUID, Basket]) -> None:
        self.connection.execute(_PROMOTE, [list(again), [basket.moment for basket in again.values()]])

    @cached_property
    def _first_purchases(self) -> Mapping[int, datetime]:
        return source.read_first_purchases()

    @cached_property
    def _demographics(self) -> Mapping[int, source.Demographics]:
        return source.read_demographics()

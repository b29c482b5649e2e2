"""Figures across the sites, read from the rows that this node holds.

1. A month is a month of the site that made the order, in that site's own time zone.
2. Amounts in different currencies are never added up: there is a sum for each.
3. Cancelled orders do not count.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from crm.core.sites import config

# Orders alone are read, never their lines. Grouping by customer first counts the buyers without a sort
# of all orders.
_ORDERS = """
select site, month, currency, sum(orders)::bigint, sum(revenue), count(*)
from (
    select o.owner_site as site, date_trunc('month', o.ordered_at at time zone z.zone)::date as month, o.currency,
           count(*) as orders, sum(o.total) as revenue
    from unnest(%(sites)s::text[], %(zones)s::text[]) as z(site, zone)
    join sales_order o on o.owner_site = z.site
    where o.ordered_at >= (make_date(%(year)s, 1, 1)::timestamp at time zone z.zone)
      and o.ordered_at < (make_date(%(year)s + 1, 1, 1)::timestamp at time zone z.zone)
      and o.status <> 'cancelled'
    group by 1, 2, 3, o.customer_id
) as of_customers
group by 1, 2, 3
order by 2, 1, 3
"""
_CUSTOMERS = """
select z.site, count(*), count(*) filter (where extract(year from c.created_at at time zone z.zone) = %(year)s)
from unnest(%(sites)s::text[], %(zones)s::text[]) as z(site, zone)
join customers_customer c on c.owner_site = z.site
group by 1
"""
_YEARS = """
select extract(year from min(ordered_at))::int, extract(year from max(ordered_at))::int from sales_order
"""


@dataclass(frozen=True)
class MonthSales:
    """A site's month in one currency. `buyers` are the customers who ordered in it."""

    site: str
    month: date
    currency: str
    orders: int
    revenue: Decimal
    buyers: int


@dataclass(frozen=True)
class SiteCustomers:
    """How many customers a site has, and how many of them came in the year."""

    site: str
    total: int
    new: int


def get_month_sales(year: int) -> list[MonthSales]:
    """A year's orders by site, month and currency."""
    return [MonthSales(*row) for row in _rows(_ORDERS, _zones() | {"year": year})]


def get_site_customers(year: int) -> dict[str, SiteCustomers]:
    """The customers of each site."""
    return {row[0]: SiteCustomers(*row) for row in _rows(_CUSTOMERS, _zones() | {"year": year})}


def get_years() -> list[int]:
    """The years in which there are orders, the last first."""
    ((first, last),) = _rows(_YEARS, {})
    return list(range(last, first - 1, -1)) if last else []


def _zones() -> dict[str, Any]:
    sites = config().sites
    return {"sites": list(sites), "zones": [site.time_zone for site in sites.values()]}


def _rows(query: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows

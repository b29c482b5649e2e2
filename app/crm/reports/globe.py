"""The global report laid out: months down, sites across, one sum for each currency. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from crm.reports.selectors import MonthSales, SiteCustomers


@dataclass(frozen=True)
class Cell:
    """A site's month, or a site's year; `revenue` by currency."""

    orders: int
    buyers: int
    revenue: Mapping[str, Decimal]


@dataclass(frozen=True)
class Report:
    """All that the page shows; `cells` has a cell for each site of `sites` in each row."""

    year: int
    sites: Sequence[str]
    currencies: Sequence[str]
    rows: Sequence[tuple[date, Sequence[Cell], Cell]]
    totals: Sequence[Cell]
    whole: Cell
    customers: Sequence[SiteCustomers]


def lay_out(
    *, year: int, sites: Sequence[str], sales: Iterable[MonthSales], customers: Mapping[str, SiteCustomers]
) -> Report:
    """The report of a year: all twelve months, so that a month without sales shows as such."""
    sold = list(sales)
    months = [date(year, number, 1) for number in range(1, 13)]
    rows = []
    for month in months:
        of_month = [each for each in sold if each.month == month]
        rows.append((month, [_cell(of_month, site) for site in sites], _cell(of_month)))
    return Report(
        year=year,
        sites=sites,
        currencies=_by_use(sold),
        rows=rows,
        totals=[_cell(sold, site) for site in sites],
        whole=_cell(sold),
        customers=[customers.get(site, SiteCustomers(site, 0, 0)) for site in sites],
    )


def _by_use(sold: Iterable[MonthSales]) -> list[str]:
    """The currencies, the one with most orders first."""
    orders: dict[str, int] = {}
    for each in sold:
        orders[each.currency] = orders.get(each.currency, 0) + each.orders
    return sorted(orders, key=lambda currency: (-orders[currency], currency))


def _cell(sold: Iterable[MonthSales], site: str = "") -> Cell:
    """The sum over one site, or over all; a buyer in two currencies or months counts in each."""
    revenue: dict[str, Decimal] = {}
    orders = buyers = 0
    for each in sold:
        if site in ("", each.site):
            orders, buyers = orders + each.orders, buyers + each.buyers
            revenue[each.currency] = revenue.get(each.currency, Decimal(0)) + each.revenue
    return Cell(orders, buyers, revenue)

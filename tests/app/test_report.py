"""The global report: right figures, in their own currencies, with their freshness."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from crm.node.standing import standing_of
from crm.reports.chart import HEIGHT, draw, tick_step
from crm.reports.freshness import freshness_of
from crm.reports.globe import lay_out
from crm.reports.selectors import get_month_sales, get_site_customers, get_years
from crm.sales.models import Order
from replication.status import LinkView, SiteView
from tests.app.conftest import LogIn
from tests.app.make import make_customer, make_order

NOW = datetime(2026, 11, 22, 6, 25, tzinfo=UTC)
SITES = ["taipei", "kaohsiung", "shanghai", "us"]


def sell(site: str, at: datetime, total: str, currency: str = "USD", status: str = "done") -> None:
    order = make_order(make_customer(owner_site=site), owner_site=site, ordered_at=at, currency=currency, status=status)
    Order.objects.filter(pk=order.pk).update(total=Decimal(total))


@pytest.mark.usefixtures("db")
def test_a_month_is_a_month_of_the_site_that_sold() -> None:
    just_before_midnight_utc = datetime(2026, 3, 31, 20, 0, tzinfo=UTC)
    sell("taipei", just_before_midnight_utc, "10")
    sell("us", just_before_midnight_utc, "20")
    months = {each.site: each.month.month for each in get_month_sales(2026)}
    assert months == {"taipei": 4, "us": 3}


@pytest.mark.usefixtures("db")
def test_currencies_are_not_added_up_and_cancelled_orders_do_not_count() -> None:
    at = datetime(2026, 5, 5, tzinfo=UTC)
    sell("taipei", at, "10", "USD")
    sell("taipei", at, "300", "TWD")
    sell("taipei", at, "999", "TWD", status="cancelled")
    report = lay_out(year=2026, sites=SITES, sales=get_month_sales(2026), customers=get_site_customers(2026))
    assert report.whole.revenue == {"TWD": Decimal(300), "USD": Decimal(10)}
    assert report.whole.orders == 2
    assert len(report.rows) == 12


@pytest.mark.usefixtures("db")
def test_the_years_are_those_with_orders() -> None:
    assert get_years() == []
    sell("us", datetime(2017, 6, 1, tzinfo=UTC), "1")
    sell("us", datetime(2019, 6, 1, tzinfo=UTC), "1")
    assert get_years() == [2019, 2018, 2017]


def link(origin: str, reader: str, state: str, **more: object) -> LinkView:
    base: dict[str, object] = {"lag_seconds": 0.4, "behind_since": None, "backlog_changes": 0, "backlog_bytes": 0}
    base |= {"applied_commit_time": NOW, "known_at": NOW}
    return LinkView(origin=origin, reader=reader, state=state, **(base | more))  # type: ignore[arg-type]


def view(*changed: LinkView) -> SiteView:
    links = {(origin, reader): link(origin, reader, "up") for origin in SITES for reader in SITES if origin != reader}
    links |= {(each.origin, each.reader): each for each in changed}
    return SiteView("taipei", NOW, tuple(links.values()), 0, 0, 0, True)


def test_a_report_made_during_a_cut_says_up_to_when_a_sites_figures_go() -> None:
    until = NOW - timedelta(minutes=23)
    cut = link("shanghai", "taipei", "cut", lag_seconds=1380.0, applied_commit_time=until)
    fresh = {each.site: each for each in freshness_of(standing_of("taipei", view(cut)), SITES)}
    assert (fresh["shanghai"].state, fresh["shanghai"].until, fresh["shanghai"].is_stale) == ("cut", until, True)
    assert (fresh["taipei"].state, fresh["us"].is_stale) == ("here", False)


def test_a_cut_of_the_way_out_leaves_the_figures_fresh() -> None:
    fresh = freshness_of(standing_of("taipei", view(link("taipei", "shanghai", "cut"))), SITES)
    assert [each.site for each in fresh if each.is_stale] == []


def test_without_replication_no_figure_is_called_fresh_but_ones_own() -> None:
    fresh = freshness_of(standing_of("taipei", None), SITES)
    assert [each.site for each in fresh if each.is_stale] == ["kaohsiung", "shanghai", "us"]


def test_the_page_has_a_table_and_a_drawing_with_a_name(log_in: LogIn) -> None:
    sell("us", datetime(2026, 5, 5, tzinfo=UTC), "10")
    text = log_in("hq").get(reverse("global_report"), headers={"accept-encoding": ""}).content.decode()
    assert '<svg class="draw chart"' in text
    assert 'role="img" aria-label="Stacked bars' in text
    assert "<caption" in text
    assert "USD 10.00" in text
    assert "it is not known how fresh they are" in text


@given(st.decimals(0, 10**12, places=2))
def test_an_axis_has_few_round_ticks(most: Decimal) -> None:
    step = tick_step(most)
    assert str(step).rstrip("0") in {"1", "2", "5"}
    assert most / step <= 4 or step == 1


def test_bars_stay_on_the_paper() -> None:
    from crm.reports.selectors import MonthSales

    sales = [MonthSales(site, datetime(2026, 2, 1, tzinfo=UTC).date(), "USD", 1, Decimal(70), 1) for site in SITES]
    chart = draw(lay_out(year=2026, sites=SITES, sales=sales, customers={}), "USD")
    blocks = [block for bar in chart.bars for block in bar.blocks]
    assert len(blocks) == 4
    assert all(block.y >= 0 and block.y + block.height <= HEIGHT for block in blocks)
    assert blocks[0].y > blocks[1].y > blocks[2].y > blocks[3].y

"""Reports across the sites."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from crm.accounts.access import needs
from crm.accounts.roles import May
from crm.core.sites import config
from crm.node.selectors import get_standing
from crm.reports.chart import draw
from crm.reports.freshness import freshness_of
from crm.reports.globe import lay_out
from crm.reports.selectors import get_month_sales, get_site_customers, get_years


@needs(May.SEE_GLOBAL_REPORT)
def global_report(request: HttpRequest) -> HttpResponse:
    """Customers, orders and revenue by site and month, and how fresh each site's figures are."""
    years = get_years() or [timezone.localdate().year]
    asked = request.GET.get("year", "")
    year = int(asked) if asked.isdecimal() and int(asked) in years else years[0]
    sites = list(config().sites)
    report = lay_out(year=year, sites=sites, sales=get_month_sales(year), customers=get_site_customers(year))
    standing = get_standing()
    fresh = freshness_of(standing, sites)
    context = {
        "report": report,
        "years": years,
        "charts": [draw(report, currency) for currency in report.currencies],
        "all_customers": sum(each.total for each in report.customers),
        "new_customers": sum(each.new for each in report.customers),
        "by_site": list(zip(sites, report.customers, report.totals, fresh, strict=True)),
        "stale": [each for each in fresh if each.is_stale],
        "standing": standing,
        "made_at": timezone.now(),
    }
    return render(request, "reports/global.html", context)

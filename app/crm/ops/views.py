"""Pages of the console: the links and how they did, positions, what waits and what to do about it, who did what."""

from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.accounts.access import needs, person
from crm.accounts.roles import May
from crm.core.editing import see
from crm.node.selectors import get_standing
from crm.node.views import health_context
from crm.ops import selectors, services, words
from crm.ops.forms import cells_of, new_request, read_wish
from crm.ops.sealed import sealed_of
from crm.ops.spark import Spark, draw_chart, draw_spark
from replication.requests import Action, NothingWaitsError
from replication.status import Deed, Series, Waiting

CHART_HEIGHT = 120


@needs(May.OPERATE)
def console(request: HttpRequest) -> HttpResponse:
    """Every line between the sites: its state, what it does and did."""
    return render(request, "ops/console.html", _now() | _past())


@needs(May.OPERATE)
def figures(request: HttpRequest) -> HttpResponse:
    """The verdict and the links' figures alone, for the page to replace its own."""
    return render(request, "ops/figures.html", _now() | {"again": True})


@needs(May.OPERATE)
def past(request: HttpRequest) -> HttpResponse:
    """How the links did, alone."""
    return render(request, "ops/past.html", _past())


def _now() -> dict[str, Any]:
    standing = get_standing(totals=True)
    return health_context(standing) | {"rows": selectors.get_rows(standing.view), "at": "lines"}


def _past() -> dict[str, Any]:
    series = selectors.get_past(selectors.SPARK_SPAN, selectors.SPARK_PARTS, timezone.now())
    return {"past": [(*way, _lag_spark(series.get(way))) for way in selectors.get_ways()]}


def _lag_spark(series: Series | None) -> Spark:
    return draw_spark(series, lambda stretch: stretch.lag_seconds, selectors.SPARK_PARTS)


@needs(May.OPERATE)
def link(request: HttpRequest, origin: str, reader: str) -> HttpResponse:
    """One directed link: how it stands, and how it did."""
    way = (origin, reader)
    if way not in selectors.get_ways():
        raise Http404
    span = request.GET.get("span", "24h")
    span = span if span in selectors.SPANS else "24h"
    now = timezone.now()
    series = selectors.get_past(span, selectors.CHART_PARTS, now, way).get(way)
    rows = [row for row in _now()["rows"] if (row.link.origin, row.link.reader) == way]
    context = {"origin": origin, "reader": reader, "row": next(iter(rows), None), "charts": _charts(series)}
    context |= {"span": span, "spans": _spans(), "since": now - selectors.SPANS[span], "now": now, "at": "lines"}
    return render(request, "ops/link.html", context)


def _charts(series: Series | None) -> list[tuple[str, Spark]]:
    """Lag, what waits, and the rate."""
    chart = partial(draw_chart, series, parts=selectors.CHART_PARTS, height=CHART_HEIGHT)
    return [
        ("lag", chart(lambda stretch: stretch.lag_seconds)),
        ("waiting", chart(lambda stretch: stretch.backlog_changes)),
        ("rate", chart(lambda stretch: stretch.rate)),
    ]


def _spans() -> list[tuple[str, str]]:
    return [("1h", _("1 hour")), ("6h", _("6 hours")), ("24h", _("24 hours")), ("30d", _("30 days"))]


@needs(May.OPERATE)
def positions(request: HttpRequest) -> HttpResponse:
    """This site's own log, and up to where it has applied each origin's."""
    view, own, origins = selectors.get_positions()
    return render(request, "ops/positions.html", {"view": view, "own": own, "origins": origins, "at": "positions"})


@needs(May.OPERATE)
def waiting_list(request: HttpRequest) -> HttpResponse:
    """The changes that wait here, or were set aside."""
    reason, counts = request.GET.get("reason", ""), selectors.get_counts()
    page = selectors.get_waiting(reason=reason, mark=request.GET.get("after", "")) if counts else None
    tabs = [(code, words.said(words.SHORT_REASONS, code), number) for code, number in counts.items()]
    rows = [(each, _op(each), words.said(words.SHORT_REASONS, each.reason)) for each in page.rows] if page else []
    context = {"page": page, "rows": rows, "tabs": tabs, "reason": reason, "query": f"reason={reason}", "at": "waiting"}
    template = "ops/waiting_rows.html" if request.headers.get("HX-Target") == "more" else "ops/waiting.html"
    return render(request, template, context | {"total": sum(counts.values())})


@needs(May.OPERATE)
def change(request: HttpRequest, parked: int) -> HttpResponse:
    """One change that waits: what it would write, why it waits, and what to do about it."""
    found = selectors.get_change(parked)
    if found is None:
        messages.info(request, _("This change does not wait any more."))
        return see(reverse("ops_waiting"))
    if request.method == "POST":
        return _ask(request, found)
    return _show(request, found)


def _ask(request: HttpRequest, found: Waiting) -> HttpResponse:
    wish = read_wish(request.POST)
    edited = {each.column: each.typed for each in cells_of(found, None, request.POST) if each.is_edited}
    if wish is None:
        return _show(request, found, _("Choose what to do."))
    if wish.action == Action.DISCARD and not wish.why:
        return _show(request, found, _("Say why it is discarded: others will read it."))
    if wish.action == Action.EDIT and not edited:
        return _show(request, found, _("Nothing was changed."))
    try:
        services.ask_for(wish=wish, parked=found.id, by=person(request), cells=edited)
    except NothingWaitsError:
        messages.info(request, _("This change does not wait any more."))
        return see(reverse("ops_waiting"))
    messages.success(request, _("Asked for. What comes of it shows here within seconds."))
    return see(reverse("ops_log"))


def _show(request: HttpRequest, found: Waiting, fault: str = "") -> HttpResponse:
    here = selectors.get_values_here(found)
    context = {
        "change": found,
        "op": _op(found),
        "cells": cells_of(found, here, request.POST if fault else None),
        "sealed": sorted(sealed_of(found.table) & set(found.cells)),
        "is_here": here is not None,
        "why_it_waits": words.said(words.REASONS, found.reason),
        "next": words.said(words.NEXT, found.reason),
        "may_edit": found.op == "I" or (found.op == "U" and here is not None),
        "request_id": new_request(),
        "fault": fault,
        "why": request.POST.get("why", ""),
        "at": "waiting",
    }
    return render(request, "ops/change.html", context, status=422 if fault else 200)


def _op(found: Waiting) -> str:
    return words.said(words.OPS, found.op)


@needs(May.OPERATE)
def comparing(request: HttpRequest) -> HttpResponse:
    """How this site's tables compare with the others', and how far a look has come; or ask for a look now."""
    if request.method == "POST":
        services.ask_to_compare(by=person(request))
        return see(reverse("ops_comparing"))
    compared, repaired = selectors.get_comparisons()
    context = {"rows": compared, "repairs": repaired, "at": "comparing", "now": timezone.now()}
    context["under_way"] = any(each.is_asked or each.is_under_way for each in compared)
    template = "ops/comparing_found.html" if request.headers.get("HX-Target") == "compared" else "ops/comparing.html"
    return render(request, template, context)


@needs(May.OPERATE)
def log(request: HttpRequest) -> HttpResponse:
    """Who did what, when and why, and what came of it."""
    page = selectors.get_log(mark=request.GET.get("after", ""))
    rows = [(deed, words.said(words.ACTIONS, deed.action), _came_of(deed)) for deed in page.rows]
    pending = any(not deed.outcome for deed in page.rows)
    context = {"page": page, "rows": rows, "pending": pending, "query": "", "at": "log"}
    templates = {"more": "ops/log_rows.html", "log": "ops/log_found.html"}
    return render(request, templates.get(request.headers.get("HX-Target", ""), "ops/log.html"), context)


def _came_of(deed: Deed) -> str:
    return words.said(words.OUTCOMES, deed.outcome)


@needs(May.OPERATE)
@require_POST
def restore(request: HttpRequest, key: UUID) -> HttpResponse:
    """Have a discarded change wait again."""
    try:
        services.ask_for_return(discarded=key, by=person(request))
    except NothingWaitsError:
        messages.info(request, _("This was not discarded here."))
    return see(reverse("ops_log"))

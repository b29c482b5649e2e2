"""The health page, and the small parts that pages ask for again."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from crm.core.sites import config
from crm.node.map import draw_map
from crm.node.selectors import get_standing
from crm.node.standing import Standing
from crm.node.verdict import judge


def health(request: HttpRequest) -> HttpResponse:
    """How the replication between all sites does, as this node knows it."""
    return render(request, "node/health.html", health_context(get_standing(totals=True)))


def health_figures(request: HttpRequest) -> HttpResponse:
    """The verdict and the links' figures alone, for the page to replace its own."""
    return render(request, "node/figures.html", health_context(get_standing(totals=True)) | {"again": True})


def health_map(request: HttpRequest) -> HttpResponse:
    """The drawing alone."""
    return render(request, "node/map.html", health_context(get_standing()))


def lines(request: HttpRequest) -> HttpResponse:
    """The head's lines and note, for a page that stays open."""
    return render(request, "node/lines.html", {"again": True})


def health_context(standing: Standing) -> dict[str, Any]:
    """What the health page and its parts show."""
    view = standing.view
    links = view.links if view else ()
    sites = list(config().sites)
    ages = {id(link): (view.now - link.known_at).total_seconds() for link in links if view and link.known_at}
    return {
        "standing": standing,
        "verdict": judge(view),
        "rows": [(link, ages.get(id(link))) for link in links],
        "sites": sites,
        "map": draw_map(sites, links),
    }

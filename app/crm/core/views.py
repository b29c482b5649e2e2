"""What happens when something is not there, not allowed or wrong."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: the row may not have arrived here yet, and the page says so."""
    return render(request, "error.html", {"code": 404}, status=404)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403: the role does not grant it."""
    return render(request, "error.html", {"code": 403}, status=403)


def stale_page(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 of the cross-site check: mostly a page from before a log-in."""
    return render(request, "error.html", {"code": "csrf"}, status=403)

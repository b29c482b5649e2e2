"""What every answer carries, and in whose language and time it is written."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

Answer = Callable[[HttpRequest], HttpResponse]

# No script, style, image or connection but this node's own; nothing inline; nobody may frame us.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
)


class SecurityHeaders:
    """Adds the headers that Django does not; pages hold people's data, so nobody else keeps them."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.setdefault("Content-Security-Policy", POLICY)
        response.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        response.setdefault("Cache-Control", "private, no-cache")
        return response


class ReadersOwn:
    """Answers in the reader's language and time zone; before log-in, in the site's.

    The order for the language: the person's preference, the choice made on the log-in page, the site's
    first. A browser's Accept-Language is not asked: shared machines in a branch speak anything.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        language = _language(request)
        zone = request.user.time_zone if request.user.is_authenticated else settings.TIME_ZONE
        with translation.override(language), timezone.override(ZoneInfo(zone)):
            response = self.get_response(request)
        response.setdefault("Content-Language", language)
        return response


def _language(request: HttpRequest) -> str:
    if request.user.is_authenticated:
        return request.user.language
    chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    return chosen if chosen in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE

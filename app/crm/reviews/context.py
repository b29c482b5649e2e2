"""What the head of every page shows of the conflicts."""

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from crm.reviews.selectors import OPEN_MOST, count_open


def open_reviews(request: HttpRequest) -> dict[str, object]:
    """How many wait for an answer, as the menu shows it; asked for only by pages that have the menu."""
    return {"open_reviews": SimpleLazyObject(_told)}


def _told() -> str:
    number = count_open()
    return f"{OPEN_MOST}+" if number > OPEN_MOST else str(number or "")

"""Amounts, ages and moments as people read them, in the reader's language and time zone."""

from datetime import date, datetime
from decimal import Decimal

from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

# Currencies in which cents are not used in daily life; they are shown where an amount has them.
_WHOLE = frozenset({"TWD", "JPY"})


def money(amount: Decimal, currency: str) -> str:
    """An amount with its ISO code, never a symbol: `$` is written in Taipei as in New York."""
    places = 0 if currency in _WHOLE and amount == amount.to_integral_value() else 2
    return f"{currency} {amount:,.{places}f}".strip()


def quantity(number: Decimal) -> str:
    """A number without spare zeros."""
    return f"{number.normalize() + 0:,f}"


def thousands(number: float) -> str:
    """A whole number with its thousands parted."""
    return f"{number:,.0f}"


def rate(number: float | None) -> str:
    """So many a second, as exactly as it matters; what is not known is a dash."""
    return "–" if number is None else f"{number:,.0f}" if number >= 10 else f"{number:.1f}"


def age(seconds: float | None) -> str:
    """How long ago, in the largest unit that says enough."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return _("< 1 s")
    for limit, size, words in (
        (90, 1, _("%d s")),
        (5400, 60, _("%d min")),
        (48 * 3600, 3600, _("%d h")),
    ):
        if seconds < limit:
            return words % (seconds // size)
    return _("%d d") % (seconds // 86400)


def size(number: int | None) -> str:
    """Bytes, in the unit that says enough."""
    if number is None:
        return "–"
    for unit in ("B", "KB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 10 else f"{number:.1f} {unit}"
        number = number / 1000  # type: ignore[assignment]
    return f"{number:.1f} GB"


def day(moment: datetime) -> str:
    """The day in the reader's zone: today and yesterday by name, this year without the year."""
    local, today = timezone.localtime(moment), timezone.localdate()
    named = {-1: pgettext("day", "Yesterday"), 0: pgettext("day", "Today"), 1: pgettext("day", "Tomorrow")}
    return named.get((local.date() - today).days) or _date(local, today)


def day_and_time(moment: datetime) -> str:
    """The same inside a sentence, with the time of day."""
    local, today = timezone.localtime(moment), timezone.localdate()
    named = {
        -1: pgettext("in a sentence", "yesterday"),
        0: pgettext("in a sentence", "today"),
        1: pgettext("in a sentence", "tomorrow"),
    }
    return f"{named.get((local.date() - today).days) or _date(local, today)} {local:%H:%M}"


def _date(local: datetime, today: date) -> str:
    pattern = pgettext("date format", "j M") if local.year == today.year else pgettext("date format", "j M Y")
    return formats.date_format(local, pattern)


def long_day(moment: datetime) -> str:
    """The day with its weekday, in the reader's zone."""
    return formats.date_format(timezone.localtime(moment), pgettext("date format", "l, j F Y"))


def clock(moment: datetime) -> str:
    """The time of day in the reader's zone."""
    return f"{timezone.localtime(moment):%H:%M}"


def moment_in_full(moment: datetime) -> str:
    """The moment with its zone, so that nobody has to guess whose clock it is."""
    local = timezone.localtime(moment)
    return f"{local:%Y-%m-%d %H:%M:%S} UTC{offset(local)} ({timezone.get_current_timezone_name()})"


def offset(moment: datetime) -> str:
    """The moment's offset from UTC, as +08:00."""
    plain = f"{moment:%z}"
    return f"{plain[:3]}:{plain[3:5]}"

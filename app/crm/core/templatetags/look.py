"""The few things that every template says: names with their language, money, moments, icons."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from django import template
from django.forms import BoundField
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from crm.core import scripts, words
from crm.core.sites import site_title

register = template.Library()
register.filter("age", words.age)
register.filter("bytes", words.size)
register.filter("quantity", words.quantity)
register.filter("rate", words.rate)
register.filter("site_title", site_title)
register.filter("long_day", words.long_day)
register.filter("thousands", words.thousands)


class Named(Protocol):
    """Somebody or something with a name in its own script."""

    name: str
    name_lang: str
    latin_name: str


@register.filter
def named(thing: Any) -> SafeString:
    """The name in its own script, tagged with its language."""
    name = getattr(thing, "display_name", None) or thing.name
    return format_html('<span lang="{}">{}</span>', thing.name_lang, name)


@register.filter
def second_name(thing: Named) -> SafeString:
    """The second line: the name in the reader's script, and its Latin form."""
    parts = []
    converted = scripts.for_reader(thing.name, thing.name_lang)
    if converted:
        parts.append(format_html('<span lang="{}">{}</span>', converted[1], converted[0]))
    latin = getattr(thing, "latin_name", "")
    if latin and latin != thing.name:
        parts.append(format_html('<span lang="en">{}</span>', latin))
    return mark_safe(" · ".join(parts))  # noqa: S308  (made of escaped parts)


@register.simple_tag
def money(amount: Decimal | None, currency: str) -> str:
    """An amount with its ISO code; nothing is a dash."""
    return "–" if amount is None else words.money(amount, currency)


@register.filter
def moment(when: datetime | None) -> SafeString | str:
    """Day and time in the reader's zone; the zone shows on hover."""
    return "–" if when is None else _time(when, words.day_and_time(when))


@register.filter
def day(when: datetime | None) -> SafeString | str:
    """The day in the reader's zone; the time and the zone show on hover."""
    return "–" if when is None else _time(when, words.day(when))


@register.filter
def clock(when: datetime | None) -> SafeString | str:
    """The time of day in the reader's zone; the day and the zone show on hover."""
    return "–" if when is None else _time(when, words.clock(when))


def _time(when: datetime, text: str) -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        timezone.localtime(when).isoformat(timespec="seconds"),
        words.moment_in_full(when),
        text,
    )


@register.simple_tag
def icon(name: str) -> SafeString:
    """A drawing out of the one cached file of icons; beside words, so hidden from readers of the screen."""
    return format_html('<svg class="i" aria-hidden="true"><use href="{}#{}"/></svg>', static("icons.svg"), name)


@register.simple_tag
def html_lang() -> str:
    """The page's language for `<html lang>`."""
    return scripts.html_lang(get_language() or "en")


@register.inclusion_tag("part/field.html")
def field(bound: BoundField, css: str = "") -> dict[str, Any]:
    """A form's field with its label, hint and faults."""
    described = " ".join(f"{bound.id_for_label}_{part}" for part in _described(bound))
    if described:
        bound.field.widget.attrs["aria-describedby"] = described
    return {"bound": bound, "css": css}


def _described(bound: BoundField) -> list[str]:
    return [part for part, text in (("help", bound.help_text), ("faults", bound.errors)) if text]

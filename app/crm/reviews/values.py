"""A value out of the replication's record, in PostgreSQL's text form, as a person reads and types it. Pure."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Field, ForeignKey
from django.utils.translation import gettext as _

from crm.core import words

NOTHING = "–"


def value_of(field: "Field[Any, Any]", text: str | None) -> Any:
    """What the text stands for; a text that is none of the field's any more stays a text."""
    if text is None:
        return None
    target = field.target_field if isinstance(field, ForeignKey) else field
    try:
        return target.to_python(text)
    except ValidationError:
        return text


def told(field: "Field[Any, Any]", value: Any, names: Mapping[Any, str]) -> str:
    """How a person reads it; `names` has the records that foreign keys refer to, by key."""
    if value in (None, ""):
        return NOTHING
    if isinstance(field, ForeignKey):
        return names.get(value, str(value))
    choices = dict(field.flatchoices)
    if value in choices:
        return str(choices[value])
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, Decimal):
        return words.quantity(value)
    return words.day_and_time(value) if isinstance(value, datetime) else str(value)

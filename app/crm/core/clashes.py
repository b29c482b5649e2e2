"""Both sides of a clash, and the form from which the person chooses."""

from dataclasses import dataclass
from typing import Any, TypeVar

from django.forms import BoundField, ModelChoiceField

from crm.core.forms import RowForm
from crm.core.models import Replicated
from crm.core.versions import Outcome

M = TypeVar("M", bound=Replicated)


@dataclass(frozen=True)
class Clash:
    """A field that the person and somebody else changed differently."""

    bound: BoundField
    mine: str
    theirs: str


def both_sides(form: RowForm[M], row: M, outcome: Outcome) -> tuple[RowForm[M], list[Clash]]:
    """The form over the row as it is now, with what the person typed, and the fields that clash.

    Only what this person changed keeps its typed value; anything else shows the row's, so that sending
    the form again does not carry old values back.
    """
    row.refresh_from_db()
    fresh = type(form).to_edit(row)
    typed = dict(form.data.items())
    for name in fresh.row_fields():
        if name not in outcome.clashes and name not in outcome.changes:
            typed[name] = as_sent(fresh[name])
    typed["version"] = fresh.initial["version"]
    again = type(form).to_edit(row, typed)
    clashes = [Clash(again[name], _told(again[name]), _told(fresh[name])) for name in outcome.clashes]
    return again, clashes


def as_sent(bound: BoundField) -> Any:
    """The value as a browser would send it."""
    value = bound.value()
    if bound.widget_type == "checkbox":
        return "on" if value else ""
    formatted = bound.field.widget.format_value(value)
    if isinstance(formatted, list):
        formatted = next(iter(formatted), "")
    return "" if formatted is None else formatted


def _told(bound: BoundField) -> str:
    """The value as a person reads it."""
    value = bound.value()
    choices = dict(getattr(bound.field, "choices", ()))
    if isinstance(bound.field, ModelChoiceField):
        choices = {str(getattr(key, "value", key)): label for key, label in choices.items()}
    told = choices.get(str(value), value) if choices else value
    return "–" if told in (None, "") else str(told)

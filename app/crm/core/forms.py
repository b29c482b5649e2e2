"""The base of every form over a replicated row: it carries the version of what it shows.

A form never saves: the views hand what was typed to a service. `new_id` makes a new row's key with the
form, so that a form sent twice over a bad line makes one row.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.core.models import Replicated
from crm.core.versions import version_of
from crm.core.writing import shown

M = TypeVar("M", bound=Replicated)


if TYPE_CHECKING:

    class _ModelForm(forms.ModelForm[M], Generic[M]):
        """Django's form of one model; only the type checker knows that it is generic."""

else:

    class _ModelForm(forms.ModelForm, Generic[M]):
        """Django's form of one model, which cannot be subscripted at run time."""


class RowForm(_ModelForm[M]):
    """A form over one row. `version` is empty for a new row, `new_id` for one that exists."""

    version = forms.CharField(widget=forms.HiddenInput, required=False)
    new_id = forms.UUIDField(widget=forms.HiddenInput, required=False)

    @classmethod
    def row_fields(cls) -> tuple[str, ...]:
        """The fields of the row that this form shows, in order."""
        return tuple(name for name in cls.base_fields if name not in {"version", "new_id"})

    @classmethod
    def to_edit(cls, row: M, typed: Mapping[str, Any] | None = None, **more: Any) -> RowForm[M]:
        """The form over a row as it is; validating it leaves the row alone."""
        version = version_of(cls.row_fields(), shown(row, cls.row_fields()))
        return cls(typed, instance=copy.copy(row), initial={"version": version}, **more)

    @classmethod
    def to_create(cls, typed: Mapping[str, Any] | None = None, **initial: Any) -> RowForm[M]:
        """An empty form with the key of the row to come."""
        return cls(typed, initial={"new_id": uuid.uuid4(), **initial})

    def typed(self) -> dict[str, Any]:
        """What was typed, by the row's fields."""
        return {name: self.cleaned_data[name] for name in self.row_fields()}


class Moment(forms.DateTimeField):
    """A day and time, typed and shown in the person's own zone by the browser's own control."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    default_error_messages = {"invalid": _("Enter a day and a time.")}  # noqa: RUF012  (Django's own attribute)

    def __init__(self, **options: Any) -> None:
        super().__init__(input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"], **options)

    def prepare_value(self, value: Any) -> Any:
        return timezone.localtime(value).replace(tzinfo=None) if hasattr(value, "tzinfo") and value.tzinfo else value

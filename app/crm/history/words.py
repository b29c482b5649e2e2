"""Columns in the words that people know them by."""

from collections.abc import Iterable

from django.db.models import Model
from django.utils.text import capfirst


def labels_of(model: type[Model], columns: Iterable[str]) -> list[str]:
    """What people call these columns of a model, in the model's order; one that it lacks by now keeps its name."""
    wanted = set(columns)
    fields = {field.column: field for field in model._meta.concrete_fields}  # noqa: SLF001  (Django documents _meta)
    known = [str(capfirst(field.verbose_name)) for column, field in fields.items() if column in wanted]
    return known + sorted(wanted - fields.keys())

"""The one way in which an edited row is saved: locked, weighed against what the writer saw, and only
in the columns that changed. A column written with the value that it had is not an edit for
replication either, but a stale one would overwrite what a peer changed meanwhile. Who saved what is kept
in the same transaction."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Field, QuerySet
from django.utils import timezone

from crm.core.models import Replicated
from crm.core.versions import Outcome, weigh
from crm.history.services import record_edit

M = TypeVar("M", bound=Replicated)
Derive = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def shown(row: Replicated, fields: tuple[str, ...]) -> dict[str, Any]:
    """The values of a row that a form with these fields shows."""
    return {field: getattr(row, _column(row, field)) for field in fields}


@transaction.atomic
def write_new(rows: QuerySet[M], *, key: UUID, values: Mapping[str, Any], by: UUID | None) -> M:
    """Add a row under its key; the same key again gives the row that is there.

    `by` is the person who saves it; None is a program, which leaves no history.
    """
    row, created = rows.get_or_create(pk=key, defaults=dict(values))
    if created:
        record_edit(row=row, columns=(), by=by)
    return row


@transaction.atomic
def write_edit(
    rows: QuerySet[M],
    *,
    key: UUID,
    fields: tuple[str, ...],
    seen: str,
    typed: Mapping[str, Any],
    by: UUID | None,
    derive: Derive = lambda _: {},
) -> Outcome:
    """Save what the writer changed, or nothing where somebody else changed the same.

    `derive` gives the columns that follow from the fields, from their values after the edit.
    """
    row = rows.select_for_update(of=("self",)).get(pk=key)
    current = shown(row, fields)
    outcome = weigh(fields=fields, seen=seen, current=current, typed=typed)
    if outcome.changes and not outcome.clashes:
        after = current | dict(outcome.changes)
        columns = _columns(row, outcome.changes)
        rows.filter(pk=key).update(**columns | dict(derive(after)), updated_at=timezone.now())
        record_edit(row=row, columns=columns, by=by)
    return outcome


def _columns(row: Replicated, changes: Mapping[str, Any]) -> dict[str, Any]:
    return {_column(row, name): _key(value) for name, value in changes.items()}


def _column(row: Replicated, name: str) -> str:
    """The attribute with a field's plain value: for a foreign key, the key."""
    field = row._meta.get_field(name)  # noqa: SLF001  (Django documents _meta)
    if not isinstance(field, Field):
        raise TypeError(f"{name} is no column of {row._meta.label}")  # noqa: SLF001
    return field.attname


def _key(value: Any) -> Any:
    return value.pk if isinstance(value, Replicated) else value

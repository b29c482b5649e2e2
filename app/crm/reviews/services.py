"""What answers conflicts. The answer closes them at every site; another value is an ordinary edit of the record."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.db import transaction

from crm.accounts.models import User
from crm.core.forms import RowForm
from crm.core.sites import this_site
from crm.core.writing import write_new
from crm.reviews.models import Decision, Seen, Settlement
from crm.reviews.over_parents import ParentQuestion
from crm.reviews.questions import Question
from crm.reviews.selectors import OPEN_COUNT


class AnsweredError(Exception):
    """Somebody answered first; `args[0]` is that answer. Nothing is written: show it."""


class StaleError(Exception):
    """The record has changed since the question was shown. Nothing is written: show the question again."""


class BarredError(Exception):
    """This person may not change the field; `args[0]` says who may."""


@transaction.atomic
def settle(question: Question, *, decision: Decision, seen: str, form: RowForm[Any] | None = None) -> None:
    """Answer a question as its person: close its conflicts and, unless it is accepted as it is, write the record.

    `seen` is the question's version as it was shown; `form` is the record's own, valid, with the values to write.
    """
    if question.barrier:
        raise BarredError(question.barrier)
    _close(question, decision)
    rows = question.kind.rows.select_for_update(of=("self",)).filter(pk__in=question.keys).order_by("pk")
    if question.version_in({row.pk: row for row in rows}) != seen:
        raise StaleError
    if form is not None:
        seen_by_form, by = form.initial["version"], question.user.pk
        outcome = question.kind.update(
            key=form.instance.pk, fields=form.row_fields(), seen=seen_by_form, typed=form.typed(), by=by
        )
        if outcome.clashes:
            raise StaleError
    elif isinstance(question, ParentQuestion) and decision == Decision.OTHER:
        _bring_back(question)
    transaction.on_commit(lambda: cache.delete(OPEN_COUNT))


def _bring_back(question: ParentQuestion) -> None:
    """Make the parent anew under its key, with the values that it had; where it is here again, leave it so."""
    former, kind = question.fall.former, question.fall.kind
    if not question.may_return or kind is None:
        raise StaleError
    values = {name: getattr(former, name) for name in kind.fields if name not in {"id", "updated_at"}}
    write_new(kind.rows, key=former.pk, values=values, by=question.user.pk)


def _close(question: Question, decision: Decision) -> None:
    """Write the answer, once for each of the conflicts; who comes second waits here and is told."""
    values = {"person": question.user, "decision": decision, "owner_site": this_site().name}
    shown_ids = {entry.conflict.id for entry in question.entries}
    for key in sorted(shown_ids):
        answer, created = Settlement.objects.get_or_create(pk=key, defaults=values)
        if not created:
            raise AnsweredError(answer)
    rest = [Settlement(pk=key, **values) for key in question.closing() if key not in shown_ids]
    Settlement.objects.bulk_create(rest, ignore_conflicts=True)


def mark_seen(*, conflicts: Iterable[UUID], by: User) -> None:
    """Keep that somebody whose value lost has seen it."""
    own = {"person": by, "owner_site": this_site().name}
    rows = [Seen(pk=Seen.key(conflict, by.pk), conflict=conflict, **own) for conflict in conflicts]
    Seen.objects.bulk_create(rows, ignore_conflicts=True)

"""What somebody is asked where two records claim one value of a unique key: which of the two shall have another.

Either is an ordinary edit. Who is given another value claims the old one no longer; and if the holder is, the record
that waited shows its own within seconds, at every site.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from crm.core.forms import RowForm
from crm.reviews.models import Decision
from crm.reviews.questions import Chosen, Question


class KeyQuestion(Question):
    """One claim on a value that another record holds."""

    template = "reviews/key.html"

    @property
    def holder(self) -> Any:
        """Who holds the value; None if it is not here."""
        return self.lead.held.holder if self.lead.held else None

    @property
    def columns(self) -> tuple[str, ...]:
        column = self.lead.conflict.column
        return (column,) if column in self.kind.columns else ()

    @property
    def keys(self) -> list[UUID]:
        return [self.lead.key, *([self.holder.pk] if self.holder is not None else [])]

    @property
    def known(self) -> Mapping[UUID, Any]:
        return {row.pk: row for row in (self.record, self.holder) if row is not None}

    @property
    def prefix(self) -> str:
        return f"{self.lead.key.hex[:12]}-key-{self.lead.conflict.column}"

    @property
    def may_write(self) -> bool:
        """Whether the record itself can be given another value: one that is hidden cannot be written."""
        return self._may(self.record)

    @property
    def may_write_holder(self) -> bool:
        return self._may(self.holder) and bool(self.lead.waits)

    def choose(self, chosen: str, sent: Mapping[str, Any]) -> Chosen | None:
        """Another value for the record (edit), or for who holds it (other)."""
        if chosen == Decision.EDIT and self.may_write:
            return Decision.EDIT, self._given(self.record, self.prefix, sent)
        if chosen == Decision.OTHER and self.may_write_holder:
            return Decision.OTHER, self._given(self.holder, self._of_holder, sent)
        return None

    @property
    def forms(self) -> Mapping[Decision, RowForm[Any]]:
        """Empty ones: what the record shows was chosen by nobody, and the holder is to have another."""
        forms = {}
        if self.may_write:
            forms[Decision.EDIT] = self._empty(self.record, self.prefix)
        if self.may_write_holder:
            forms[Decision.OTHER] = self._empty(self.holder, self._of_holder)
        return forms

    @property
    def _of_holder(self) -> str:
        return f"{self.prefix}-holder"

    def _may(self, record: Any) -> bool:
        return record is not None and bool(self.fields) and not self.kind.barrier(self.user, record, self.columns)

    def _empty(self, record: Any, prefix: str) -> RowForm[Any]:
        form = self.form_over(record, prefix)
        form.initial.update(dict.fromkeys(self.fields, ""))
        return form

    def _given(self, record: Any, prefix: str, sent: Mapping[str, Any]) -> RowForm[Any]:
        """The form, with a fault where the value would be what it is already."""
        form = self.fill(record, prefix, self.typed(prefix, sent))
        for name in self.fields:
            if form.is_valid() and form.typed()[name] == getattr(record, name):
                form.add_error(name, _("Write another value than it has."))
        return form

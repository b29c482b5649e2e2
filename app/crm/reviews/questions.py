"""What somebody is asked about a record: the base of all questions. An answer closes every conflict that it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar
from uuid import UUID

from crm.accounts.models import User
from crm.core.clashes import as_sent
from crm.core.forms import RowForm
from crm.core.versions import version_of
from crm.core.writing import shown
from crm.reviews.entries import Entry
from crm.reviews.models import Decision
from crm.reviews.records import Kind, together

Chosen = tuple[Decision, RowForm[Any] | None]
"""What was decided, and the form over the record that is to be written, if one is."""
_UNFORCED: Mapping[str, Any] = {"use_required_attribute": False}
"""A browser must not insist on a field of the choice that was not made."""


@dataclass(frozen=True)
class Question:
    """Some conflicts that are answered together, and the person who is asked."""

    entries: Sequence[Entry]
    user: User

    template: ClassVar[str]

    @property
    def kind(self) -> Kind:
        return self.entries[0].kind

    @property
    def record(self) -> Any:
        return self.entries[0].record

    @property
    def lead(self) -> Entry:
        """The newest of its conflicts."""
        return max(self.entries, key=lambda entry: max(entry.winner.moment, entry.loser.moment))

    @property
    def label(self) -> str:
        return self.lead.label

    @property
    def address(self) -> str:
        """Where the record is shown, for who may see it there."""
        if self.record is None or (self.kind.on_form and self.kind.barrier(self.user, self.record, ())):
            return ""
        return self.kind.address(self.record)

    @property
    def columns(self) -> tuple[str, ...]:
        """What an answer may write."""
        return ()

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(self.kind.columns[column].name for column in self.columns)

    @property
    def keys(self) -> list[UUID]:
        """The records that an answer may write; they are weighed against what the person saw."""
        return [self.lead.key]

    @property
    def known(self) -> Mapping[UUID, Any]:
        """Those of these records that are here."""
        return {self.lead.key: self.record} if self.record is not None else {}

    @property
    def prefix(self) -> str:
        """What its fields' names in a form begin with: the same whichever of its conflicts are still open."""
        written = together(self.kind.table, self.lead.conflict.column)
        return f"{self.lead.key.hex[:12]}-{written[0]}"

    @cached_property
    def barrier(self) -> str:
        """Why this person cannot answer; empty if nothing is in the way."""
        return self.kind.barrier(self.user, self.record, self.columns)

    @property
    def version(self) -> str:
        """What the records show now, in a few characters."""
        return self.version_in(self.known)

    def version_in(self, rows: Mapping[UUID, Any]) -> str:
        """The version of these records; of one that is gone nothing."""
        shows = (version_of(self.fields, shown(rows[key], self.fields)) if key in rows else "" for key in self.keys)
        return ".".join(shows)

    def closing(self) -> list[UUID]:
        """The ids that an answer closes."""
        return sorted(entry.conflict.id for entry in self.entries)

    @property
    def forms(self) -> Mapping[Decision, RowForm[Any]]:
        """For the decisions for which something is typed, the form that it is typed into."""
        return {}

    def choose(self, chosen: str, sent: Mapping[str, Any]) -> Chosen | None:
        """What a person chose beside leaving it as it is, with what was typed for it; None if that is no choice."""
        raise NotImplementedError

    def preset(self, wanted: str) -> str:
        """What is chosen at first for who picked this decision for many."""
        return wanted if wanted in Decision.values else str(Decision.ACCEPT.value)

    def form_over(self, record: Any, prefix: str) -> RowForm[Any]:
        """The form over a record as it is now."""
        return self.kind.form(self.user, record).to_edit(record, prefix=prefix, **_UNFORCED)

    def fill(self, record: Any, prefix: str, sent: Mapping[str, Any]) -> RowForm[Any]:
        """The form as if it had been sent with the record's values, and these."""
        fresh = self.form_over(record, prefix)
        data = {fresh.add_prefix(name): as_sent(fresh[name]) for name in fresh.row_fields()}
        data |= {fresh.add_prefix(name): value for name, value in sent.items()}
        return type(fresh).to_edit(record, data, prefix=prefix, **_UNFORCED)

    def typed(self, prefix: str, sent: Mapping[str, Any]) -> dict[str, Any]:
        """What was typed into this question's fields."""
        return {name: sent.get(f"{prefix}-{name}", "") for name in self.fields}

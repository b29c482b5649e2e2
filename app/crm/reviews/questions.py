"""What somebody is asked: which value a field of a record shall have, of all that were written without knowing of each
other. Fields that travel together are one question. Its answer closes every conflict that it shows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any
from uuid import UUID

from crm.accounts.models import User
from crm.core.clashes import as_sent
from crm.core.forms import RowForm
from crm.core.versions import version_of
from crm.core.writing import shown
from crm.reviews.entries import Entry, Version
from crm.reviews.models import Decision
from crm.reviews.records import Kind, together
from crm.reviews.values import told, value_of
from replication.status import conflict_id

MOMENTS_MOST = 12
"""Versions of one field whose every pair is closed by one answer; beyond it, the pairs that are shown."""


@dataclass(frozen=True)
class Choice:
    """One version of the question's fields: what each of its columns held."""

    value: str
    """As the form sends it."""
    by: Version
    told: Mapping[str, str]
    texts: Mapping[str, str | None]
    kind: Kind

    @property
    def lines(self) -> list[tuple[str, str]]:
        """What people call each column, where there are several, and its value."""
        several = len(self.told) > 1
        return [(self.kind.label(column) if several else "", value) for column, value in self.told.items()]


@dataclass(frozen=True)
class Question:
    """A field of a record, or several that travel together, with the conflicts that ask about it, and for whom."""

    entries: Sequence[Entry]
    user: User

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

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Those that differ, in the form's order."""
        differing = {entry.conflict.column for entry in self.entries}
        return tuple(name for name in self.kind.columns if name in differing)

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(self.kind.columns[column].name for column in self.columns)

    @property
    def label(self) -> str:
        return ", ".join(self.kind.label(column) for column in self.columns) or self.lead.label

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
    def may_write(self) -> bool:
        """Whether another value can be written; a record that is gone can only be left alone."""
        return self.record is not None and bool(self.columns) and not self.barrier

    @property
    def version(self) -> str:
        """What the record shows now, in a few characters; empty for a record that is gone."""
        return version_of(self.fields, shown(self.record, self.fields)) if self.record is not None else ""

    @property
    def present(self) -> Choice | None:
        """What the record holds now, as one of the versions where it is one's value; None if it is gone."""
        if self.record is None or not self.columns:
            return None
        now = self._told_now()
        won = self._choice(self.lead.winner.moment, Decision.ACCEPT)
        same = all(now[column] == text for column, text in won.told.items())
        by = won.by if same else Version(self.record.owner_site, self.record.updated_at, None, "", None, 0)
        return Choice(Decision.ACCEPT, by, now, {}, self.kind)

    @property
    def is_as_decided(self) -> bool:
        """Whether the record still holds what the rule chose."""
        return self.present is not None and self.present.by.moment != 0

    @cached_property
    def lost(self) -> Sequence[Choice]:
        """The versions that lost, the newest first."""
        moments = sorted({entry.loser.moment for entry in self.entries}, reverse=True)
        return [self._choice(moment, f"{Decision.OTHER}-{moment}") for moment in moments]

    @property
    def won(self) -> Choice:
        """The version that the rule chose in the newest of the conflicts."""
        return self._choice(self.lead.winner.moment, Decision.ACCEPT)

    def closing(self) -> list[UUID]:
        """The ids that an answer closes: of what is shown, and of any two of the versions that are shown. Another site
        may have met these two, if the three reached it in another order."""
        ids = {entry.conflict.id for entry in self.entries}
        for column in self.columns:
            moments = sorted(self._sides(column))
            if len(moments) <= MOMENTS_MOST:
                pairs = combinations(moments, 2)
                ids |= {conflict_id(self.kind.table, self.lead.conflict.key, column, *pair) for pair in pairs}
        return sorted(ids)

    def edit_form(self) -> RowForm[Any]:
        """The form over the record as it is now."""
        return self.kind.form(self.user, self.record).to_edit(self.record, prefix=self.prefix)

    def fill(self, sent: Mapping[str, Any]) -> RowForm[Any]:
        """The form as if it had been sent with the record's values, and these."""
        fresh = self.edit_form()
        data = {fresh.add_prefix(name): as_sent(fresh[name]) for name in fresh.row_fields()}
        data |= {fresh.add_prefix(name): value for name, value in sent.items()}
        return type(fresh).to_edit(self.record, data, prefix=self.prefix)

    def sent_by(self, choice: Choice) -> dict[str, Any]:
        """A version's values as a browser would send them."""
        form = self.edit_form()
        sent = {}
        for column, text in choice.texts.items():
            known = self.kind.columns[column]
            form.initial[known.name] = value_of(known.field, text)
            sent[known.name] = as_sent(form[known.name])
        return sent

    def _choice(self, moment: int, value: str) -> Choice:
        sides = {column: self._sides(column)[moment] for column in self.columns if moment in self._sides(column)}
        by = next(iter(sides.values()), self.lead.loser)
        told, texts = ({c: s.value for c, s in sides.items()}, {c: s.text for c, s in sides.items()})
        return Choice(value, by, told, texts, self.kind)

    def _sides(self, column: str) -> dict[int, Version]:
        """All versions of one column, by their moment."""
        of_it = [entry for entry in self.entries if entry.conflict.column == column]
        return {side.moment: side for entry in of_it for side in (entry.loser, entry.winner)}

    def _told_now(self) -> dict[str, str]:
        now = {}
        for column in self.columns:
            field = self.kind.columns[column].field
            value = getattr(self.record, field.attname)
            related = getattr(self.record, field.name) if field.is_relation and value else None
            now[column] = told(field, value, {value: str(related)} if related else {})
        return now


def gather(entries: Iterable[Entry], user: User) -> list[Question]:
    """The questions that some conflicts put, in the order in which they come."""
    fields: dict[tuple[UUID, tuple[str, ...]], dict[UUID, Entry]] = {}
    for entry in entries:
        written = together(entry.conflict.table, entry.conflict.column)
        fields.setdefault((entry.key, written), {})[entry.conflict.id] = entry
    return [Question(list(some.values()), user) for some in fields.values()]

"""What somebody is asked: which value a field of a record shall have, of all that were written without knowing of each
other. Fields that travel together are one question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any
from uuid import UUID

from crm.core.clashes import as_sent
from crm.core.forms import RowForm
from crm.reviews.entries import Version
from crm.reviews.models import Decision
from crm.reviews.questions import Chosen, Question
from crm.reviews.records import Kind
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


class FieldQuestion(Question):
    """A field of a record, or several that travel together."""

    template = "reviews/fields.html"

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Those that differ, in the form's order."""
        differing = {entry.conflict.column for entry in self.entries}
        return tuple(name for name in self.kind.columns if name in differing)

    @property
    def label(self) -> str:
        return ", ".join(self.kind.label(column) for column in self.columns) or self.lead.label

    @property
    def may_write(self) -> bool:
        """Whether another value can be written; a record that is gone can only be left alone."""
        return self.record is not None and bool(self.columns) and not self.barrier

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

    def choose(self, chosen: str, sent: Mapping[str, Any]) -> Chosen | None:
        """One of the versions that lost, or what was typed."""
        if not self.may_write:
            return None
        for choice in self.lost:
            if chosen == choice.value:
                return Decision.OTHER, self.fill(self.record, self.prefix, self.sent_by(choice))
        if chosen == Decision.EDIT:
            return Decision.EDIT, self.fill(self.record, self.prefix, self.typed(self.prefix, sent))
        return None

    def preset(self, wanted: str) -> str:
        """ "other" picks the version that lost, where there is one alone."""
        if wanted == Decision.OTHER:
            return self.lost[0].value if len(self.lost) == 1 else ""
        return super().preset(wanted)

    @property
    def forms(self) -> Mapping[Decision, RowForm[Any]]:
        return {Decision.EDIT: self.form_over(self.record, self.prefix)} if self.may_write else {}

    def sent_by(self, choice: Choice) -> dict[str, Any]:
        """A version's values as a browser would send them."""
        form = self.form_over(self.record, self.prefix)
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

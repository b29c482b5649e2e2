"""What a person sent back about a question, checked by the record's own form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crm.core.forms import RowForm
from crm.reviews.models import Decision
from crm.reviews.questions import Question


@dataclass(frozen=True)
class Answer:
    """`form` holds the record's values with those that were chosen or typed; None where nothing is to be written."""

    question: Question
    decision: Decision
    chosen: str
    seen: str
    form: RowForm[Any] | None = None

    @property
    def is_valid(self) -> bool:
        return self.form is None or self.form.is_valid()

    @property
    def faults(self) -> list[str]:
        """What the form finds wrong, of whichever field."""
        errors = self.form.errors if self.form is not None else {}
        return [str(fault) for found in errors.values() for fault in found]


def read_answer(question: Question, sent: Mapping[str, Any]) -> Answer | None:
    """The answer to one question out of a form that may hold several; None if it holds none to it."""
    chosen, seen = sent.get(f"{question.prefix}-decision", ""), sent.get(f"{question.prefix}-version", "")
    if chosen == Decision.ACCEPT:
        return Answer(question, Decision.ACCEPT, chosen, seen)
    if not question.may_write:
        return None
    for choice in question.lost:
        if chosen == choice.value:
            return Answer(question, Decision.OTHER, chosen, seen, question.fill(question.sent_by(choice)))
    if chosen == Decision.EDIT:
        typed = {name: sent.get(f"{question.prefix}-{name}", "") for name in question.fields}
        return Answer(question, Decision.EDIT, chosen, seen, question.fill(typed))
    return None

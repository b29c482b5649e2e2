"""What a person sent back about a question, checked by the record's own form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crm.core.forms import RowForm
from crm.reviews.models import Decision
from crm.reviews.questions import Question


@dataclass(frozen=True)
class Answer:
    """`form` is over the record to be written, with what was chosen or typed; None where no form is."""

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
    found = question.choose(chosen, sent)
    return Answer(question, found[0], chosen, seen, found[1]) if found else None

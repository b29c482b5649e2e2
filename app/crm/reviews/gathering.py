"""Which conflicts are one question."""

from collections.abc import Iterable
from uuid import UUID

from crm.accounts.models import User
from crm.reviews.entries import Entry
from crm.reviews.over_fields import FieldQuestion
from crm.reviews.over_keys import KeyQuestion
from crm.reviews.over_parents import ParentQuestion
from crm.reviews.questions import Question
from crm.reviews.records import together


def gather(entries: Iterable[Entry], user: User) -> list[Question]:
    """The questions that some conflicts put, in the order in which they come."""
    found: dict[tuple[object, ...], dict[UUID, Entry]] = {}
    for entry in entries:
        found.setdefault(_about(entry), {})[entry.conflict.id] = entry
    return [_question(list(some.values()), user) for some in found.values()]


def _about(entry: Entry) -> tuple[object, ...]:
    if entry.held or entry.fall:
        return (entry.conflict.id,)
    return (entry.key, together(entry.conflict.table, entry.conflict.column))


def _question(entries: list[Entry], user: User) -> Question:
    if entries[0].held:
        return KeyQuestion(entries, user)
    return ParentQuestion(entries, user) if entries[0].fall else FieldQuestion(entries, user)

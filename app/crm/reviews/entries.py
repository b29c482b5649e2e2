"""Conflicts with what a person needs to know of them: whose record, which field, who wrote which value."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import ForeignKey

from crm.accounts.models import User
from crm.activities.models import Activity
from crm.customers.models import Customer
from crm.history.authors import author_of
from crm.history.models import Edit
from crm.history.selectors import get_edits_of
from crm.reviews.models import Settlement
from crm.reviews.records import BY_TABLE, Column, Kind, together
from crm.reviews.values import NOTHING, told, value_of
from crm.sales.models import OrderLine
from replication.status import ConflictView, Side


@dataclass(frozen=True)
class Version:
    """One of the values, with who wrote it where and when; nobody is known where no person saved it."""

    site: str
    at: datetime
    person: User | None
    value: str
    text: str | None
    """As the database writes it."""
    moment: int


@dataclass(frozen=True)
class Entry:
    """One conflict. `record` is None where it is not here any more, `column` in a conflict over its existence."""

    conflict: ConflictView
    kind: Kind
    column: Column | None
    record: Any
    winner: Version
    loser: Version
    settlement: Settlement | None

    @property
    def key(self) -> UUID:
        return UUID(self.conflict.key[0])

    @property
    def label(self) -> str:
        return self.kind.label(self.conflict.column)

    @property
    def subject(self) -> tuple[str, str]:
        """What the record is called, and in which language."""
        return name_of(self.record)

    @property
    def customer(self) -> Customer | None:
        """The customer that the record is of, if it is not the record itself."""
        if self.record is None or self.kind.customer in ("", "pk"):
            return None
        found = self.record
        for step in self.kind.customer.split("__"):
            found = getattr(found, step)
        return found  # type: ignore[no-any-return]

    @property
    def address(self) -> str:
        return self.kind.address(self.record) if self.record is not None else ""

    @property
    def value_lang(self) -> str:
        """The language of a name's values; nothing for other fields."""
        return getattr(self.record, "name_lang", "") if self.column and self.column.name == "name" else ""

    def lost_by(self, user: User) -> bool:
        """Whether it was this person's own value that lost."""
        return self.column is not None and self.loser.person == user

    @property
    def deleted_won(self) -> bool:
        """In a conflict over the record's existence: whether it went."""
        return (self.conflict.type == "delete_origin_differs") == (self.conflict.resolution == "apply_remote")


def name_of(record: Any) -> tuple[str, str]:
    """What a record is called, and in which language."""
    if isinstance(record, OrderLine):
        return record.product.name, record.product.name_lang
    if isinstance(record, Activity):
        return record.subject, record.text_lang
    return (str(record), getattr(record, "name_lang", "und")) if record is not None else (NOTHING, "und")


def describe(conflicts: Sequence[ConflictView]) -> list[Entry]:
    """The conflicts as people know them, with as many queries as there are kinds of things in them."""
    known = [conflict for conflict in conflicts if conflict.table in BY_TABLE]
    keys: dict[Kind, set[UUID]] = defaultdict(set)
    for conflict in known:
        keys[BY_TABLE[conflict.table]].add(UUID(conflict.key[0]))
    records = {kind: kind.get_rows(list(some)) for kind, some in keys.items()}
    edits = get_edits_of(set().union(*keys.values()))
    answers = Settlement.objects.select_related("person").in_bulk([each.id for each in known]) if known else {}
    names = _names(known)
    return [_entry(each, records, edits, names, answers.get(each.id)) for each in known]


def _entry(
    conflict: ConflictView,
    records: Mapping[Kind, Mapping[UUID, Any]],
    edits: Mapping[UUID, Sequence[Edit]],
    names: Mapping[Any, str],
    answer: Settlement | None,
) -> Entry:
    kind, key = BY_TABLE[conflict.table], UUID(conflict.key[0])
    column = kind.columns.get(conflict.column)
    written = together(conflict.table, conflict.column)
    winner, loser = (
        _version(side, column, written, edits.get(key, ()), names) for side in (conflict.winner, conflict.loser)
    )
    return Entry(conflict, kind, column, records[kind].get(key), winner, loser, answer)


def _version(
    side: Side, column: Column | None, written: Sequence[str], edits: Iterable[Edit], names: Mapping[Any, str]
) -> Version:
    author = author_of(edits, columns=written, site=side.site, at=side.at)
    value = told(column.field, value_of(column.field, side.value), names) if column else ""
    return Version(side.site, side.at, author.person if author else None, value, side.value, side.moment)


def _names(conflicts: Iterable[ConflictView]) -> dict[Any, str]:
    """What the records are called that the values refer to."""
    wanted: dict[type[Any], set[Any]] = defaultdict(set)
    for conflict in conflicts:
        column = BY_TABLE[conflict.table].columns.get(conflict.column)
        if column and isinstance(column.field, ForeignKey):
            values = (value_of(column.field, side.value) for side in (conflict.winner, conflict.loser))
            wanted[column.field.related_model].update(value for value in values if value)
    return {row.pk: str(row) for model, keys in wanted.items() for row in model.objects.filter(pk__in=keys)}

"""Conflicts with what a person needs to know of them: whose record, which field, who wrote which value."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import ForeignKey
from django.utils.translation import gettext as _

from crm.accounts.models import User
from crm.activities.models import Activity
from crm.customers.models import Customer
from crm.history.authors import author_of
from crm.history.models import Edit
from crm.history.selectors import get_edits_of
from crm.reviews.claims import Background, Fall, Held, look_up
from crm.reviews.models import Settlement
from crm.reviews.records import BY_TABLE, EXISTENCE, Column, Kind, together
from crm.reviews.values import NOTHING, told, value_of
from crm.sales.models import OrderLine
from replication.status import PARENT, UNIQUE, ConflictView, Side


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
    """One conflict. `record` is None where it is not to be seen here, `former` is what it was then, where that is kept.

    `column` is None in a conflict over the record itself.
    """

    conflict: ConflictView
    kind: Kind
    column: Column | None
    record: Any
    winner: Version
    loser: Version
    settlement: Settlement | None
    former: Any = None
    held: Held | None = None
    """In a conflict over a unique key."""
    fall: Fall | None = None
    """In a conflict over a parent."""

    @property
    def key(self) -> UUID:
        return UUID(self.conflict.key[0])

    @property
    def label(self) -> str:
        if self.fall and self.fall.kind:
            return _("%s deleted") % self.fall.kind.one
        return self.kind.label(self.conflict.column)

    @property
    def subject(self) -> tuple[str, str]:
        """What the record is called, and in which language."""
        return name_of(self.record or self.former)

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
    def holder_name(self) -> tuple[str, str]:
        return name_of(self.held.holder if self.held else None)

    @property
    def parent_name(self) -> tuple[str, str]:
        return name_of((self.fall.parent or self.fall.former) if self.fall else None)

    @property
    def shows(self) -> str:
        """In a conflict over a unique key: what the record shows now."""
        known = self.column
        return told(known.field, getattr(self.record, known.field.attname), {}) if known and self.record else NOTHING

    @property
    def value_lang(self) -> str:
        """The language of a name's values; nothing for other fields."""
        return getattr(self.record, "name_lang", "") if self.column and self.column.name == "name" else ""

    def lost_by(self, user: User) -> bool:
        """Whether it was this person's own value that lost, and still does."""
        if self.held:
            return self.held.waits and user in (self.loser.person, self.record)
        went = self.conflict.column == EXISTENCE and self.record is None
        return (self.column is not None or self.waits or went) and self.loser.person == user

    @property
    def waits(self) -> bool:
        """Whether a record still waits for who holds its value, or for its parent."""
        return any(behind.waits for behind in (self.held, self.fall) if behind)

    @property
    def asks(self) -> bool:
        """Whether it can be answered: somebody is asked, or a record is out of sight and nobody has said anything."""
        return self.conflict.open or (self.fall is not None and self.waits and self.settlement is None)

    @property
    def deleted_won(self) -> bool:
        """In a conflict over the record's existence: whether it went."""
        return _went(self.conflict)


def _went(conflict: ConflictView) -> bool:
    return (conflict.type == "delete_origin_differs") == (conflict.resolution == "apply_remote")


def name_of(record: Any) -> tuple[str, str]:
    """What a record is called, and in which language; of one that was recalled, what it refers to may be gone."""
    try:
        return _name_of(record)
    except ObjectDoesNotExist:
        return NOTHING, "und"


def _name_of(record: Any) -> tuple[str, str]:
    if isinstance(record, OrderLine):
        return record.product.name, record.product.name_lang
    if isinstance(record, Activity):
        return record.subject, record.text_lang
    return (str(record), getattr(record, "name_lang", "und")) if record is not None else (NOTHING, "und")


def describe(conflicts: Sequence[ConflictView]) -> list[Entry]:
    """The conflicts as people know them, with as many queries as there are kinds of things in them."""
    known = list({each.id: each for each in reversed(conflicts) if each.table in BY_TABLE}.values())[::-1]
    keys: dict[Kind, set[UUID]] = defaultdict(set)
    for conflict in known:
        keys[BY_TABLE[conflict.table]].add(UUID(conflict.key[0]))
    records = {kind: kind.get_rows(list(some)) for kind, some in keys.items()}
    behind = look_up(known, records)
    holders = {holder.pk for holder in behind.holders.values()}
    edits = get_edits_of(set().union(holders, *keys.values()))
    answers = Settlement.objects.select_related("person").in_bulk([each.id for each in known]) if known else {}
    names = _names(known)
    return [_entry(each, behind, edits, names, answers.get(each.id)) for each in known]


def _entry(
    conflict: ConflictView,
    behind: Background,
    edits: Mapping[UUID, Sequence[Edit]],
    names: Mapping[Any, str],
    answer: Settlement | None,
) -> Entry:
    kind, key = BY_TABLE[conflict.table], UUID(conflict.key[0])
    column = kind.column(conflict.column) if conflict.type != PARENT else None
    held = behind.held(conflict) if conflict.type == UNIQUE else None
    fall = behind.fall(conflict) if conflict.type == PARENT else None
    written = together(conflict.table, conflict.column) if conflict.column else ()
    mine = edits.get(key, ())
    theirs = edits.get(held.holder.pk, ()) if held and held.holder else () if held or fall else mine
    if conflict.column == EXISTENCE:  # nobody is known to have deleted it
        mine, theirs = (mine, ()) if _went(conflict) else ((), theirs)
    winner = _version(conflict.winner, column, written, theirs, names)
    loser = _version(conflict.loser, column, written, mine, names)
    record = behind.records[kind].get(key)
    former = behind.former(kind, str(key)) if record is None else None
    return Entry(conflict, kind, column, record, winner, loser, answer, former, held, fall)


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

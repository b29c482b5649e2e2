"""Conflicts, as the pages ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.utils import timezone

from crm.accounts.models import User
from crm.core.paging import PAGE_ROWS, mark_of, place_of
from crm.customers.models import Customer
from crm.customers.selectors import Wanted as WantedCustomers
from crm.customers.selectors import find_customers
from crm.history.selectors import get_edits_by
from crm.reviews.entries import Entry, describe
from crm.reviews.models import Seen
from crm.reviews.records import KINDS, together
from crm.reviews.source import conflicts
from replication.status import PARENT, UNIQUE, ConflictView, Mark, NotInitialisedError, Wanted

OPEN_COUNT = "reviews.open"
OPEN_SHARE, OPEN_SECONDS = 0.005, 15.0
"""The share of its time that a node may spend on the number of open reviews, and how old that may be at most."""

OPEN_OLDEST, OLDEST_SECONDS = "reviews.oldest", 300.0

OPEN_MOST = 99
CUSTOMERS_MOST = 50
RECORDS_MOST = 5000
LOST_MOST = 5
MATES_MOST = 500


@dataclass(frozen=True)
class Asked:
    """What the list is narrowed to; an empty text narrows nothing."""

    kind: str = ""
    site: str = ""
    rule: str = ""
    age: str = ""
    state: str = ""
    typed: str = ""
    customer: str = ""


@dataclass(frozen=True)
class Page:
    """Some conflicts, and the mark of the next page or an empty string."""

    rows: Sequence[Entry]
    next_mark: str


def count_open() -> int:
    """How many wait for an answer, at most OPEN_MOST + 1; 0 where nothing is replicated.

    Counted anew the more seldom, the longer it takes; an answer given here has it counted at once.
    """
    known = cache.get(OPEN_COUNT)
    if known is None:
        begun = monotonic()
        known = _count_open()
        cache.set(OPEN_COUNT, known, min((monotonic() - begun) / OPEN_SHARE, OPEN_SECONDS))
    return int(known)


def _count_open() -> int:
    try:
        return conflicts().count_open(most=OPEN_MOST + 1)
    except NotInitialisedError:
        return 0


def get_oldest_open() -> datetime | None:
    """Since when the oldest of them waits; looked up no more often than they change in days."""
    return cache.get_or_set(OPEN_OLDEST, _get_oldest_open, OLDEST_SECONDS)


def _get_oldest_open() -> datetime | None:
    try:
        return conflicts().oldest_open()
    except NotInitialisedError:
        return None


def get_page(asked: Asked, *, mark: str) -> Page:
    """A page of the list: open ones first, then the newest."""
    try:
        found = conflicts().page(_wanted(asked), after=_read(mark), most=PAGE_ROWS + 1)
    except NotInitialisedError:
        found = []
    shown = found[:PAGE_ROWS]
    more = len(found) > PAGE_ROWS
    return Page(describe(shown), _mark(Mark.of(shown[-1])) if more else "")


def get_entries(ids: Iterable[UUID | str]) -> list[Entry]:
    """Those of these conflicts that are here."""
    try:
        return describe(conflicts().get_all(ids))
    except NotInitialisedError:
        return []


def get_with_mates(ids: Iterable[UUID | str]) -> list[Entry]:
    """Those of these conflicts that are here, and what else asks about the same fields of the same records; of what is
    closed, what was decided with it between the same two versions."""
    try:
        named = conflicts().get_all(ids)
    except NotInitialisedError:
        return []
    wanted = {_question(conflict) for conflict in named}
    keys = {conflict.key for conflict in named}
    found = conflicts().page(Wanted(keys=list(keys)), most=MATES_MOST) if keys else []
    mates = {each.id: each for each in [*found, *named] if _question(each) in wanted}
    return describe(list(mates.values()))


def _question(conflict: ConflictView) -> tuple[object, ...]:
    if conflict.type in (UNIQUE, PARENT):
        return (conflict.id,)
    versions = () if conflict.open else (conflict.winner.moment, conflict.loser.moment)
    return (conflict.key, conflict.open, together(conflict.table, conflict.column), *versions)


def get_open_of(customer: Customer) -> list[Entry]:
    """What somebody is asked of a customer's own fields."""
    try:
        wanted = Wanted(tables=[KINDS["customers"].table], keys=[[str(customer.pk)]], open=True)
        return describe(conflicts().page(wanted))
    except NotInitialisedError:
        return []


def get_lost(user: User) -> list[Entry]:
    """Conflicts in which this person's own value lost, that the person has not seen: the newest."""
    edits = get_edits_by(user.pk)
    keys = [[str(key)] for key in {user.pk, *(edit.record for edit in edits)}]
    try:
        found = conflicts().page(Wanted(keys=keys), most=4 * PAGE_ROWS)
    except NotInitialisedError:
        return []
    mine = {Seen.key(each.conflict.id, user.pk): each for each in describe(found) if each.lost_by(user)}
    seen = set(Seen.objects.filter(pk__in=mine).values_list("pk", flat=True)) if mine else set()
    return [entry for key, entry in mine.items() if key not in seen][:LOST_MOST]


_AGES = {"1": timedelta(days=1), "7": timedelta(days=7), "30": timedelta(days=30)}


def _wanted(asked: Asked) -> Wanted:
    kind = KINDS.get(asked.kind)
    now = timezone.now()
    span = _AGES.get(asked.age.removeprefix("-"))
    before = asked.age.startswith("-")
    return Wanted(
        tables=[kind.table] if kind else [],
        keys=_keys(asked),
        site=asked.site,
        rule=asked.rule,
        since=now - span if span and not before else None,
        until=now - span if span and before else None,
        open={"open": True, "closed": False}.get(asked.state),
    )


def _keys(asked: Asked) -> list[list[str]] | None:
    """The records of the customers that are asked for; None for everybody's."""
    if not asked.typed.strip() and not asked.customer:
        return None
    customers: list[Any]
    if asked.customer:
        customers = [asked.customer] if _is_key(asked.customer) else []
    else:
        found = find_customers(WantedCustomers(typed=asked.typed))
        customers = list(found.values_list("pk", flat=True)[:CUSTOMERS_MOST])
    theirs = [
        kind.rows.filter(**{f"{kind.customer}__in": customers}).values_list("pk", flat=True)[:RECORDS_MOST]
        for kind in KINDS.values()
        if kind.customer
    ]
    return [[str(key)] for keys in theirs for key in keys]


def _is_key(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False


def _mark(place: Mark) -> str:
    return mark_of(place.open, place.recorded_at, place.key[0], place.id)


def _read(mark: str) -> Mark | None:
    place: tuple[Any, ...] | None = place_of(mark, lambda text: text == "True", datetime.fromisoformat, str, UUID)
    return Mark(place[0], place[1], (place[2],), place[3]) if place else None

"""What stands behind a conflict that is not over a field's value: who holds the value that a record claims, with whom
a record fell, and what a record is called that is not to be seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import ForeignKey

from crm.core.session import database
from crm.core.sites import config, this_site
from crm.reviews.records import BY_MODEL, BY_TABLE, Kind
from crm.reviews.values import value_of
from replication.status import PARENT, UNIQUE, ConflictView, Unshown, claims_of, out_of_table

Records = Mapping[Kind, Mapping[UUID, Any]]


@dataclass(frozen=True)
class Held:
    """Another record holds the value of a unique key that this one claims. `holder` is None if it is not here."""

    holder: Any
    waits: bool
    """Whether the record still claims it, and shows something else or is not to be seen."""


@dataclass(frozen=True)
class Fall:
    """The record is out of sight because its parent was deleted."""

    kind: Kind | None
    """The parent's."""
    parent: Any
    """The parent, if it is here again."""
    former: Any
    """The parent as it was when it was deleted, where that is kept."""
    waits: bool
    """Whether the record is still out of sight, and comes back with its parent."""

    @property
    def can_return(self) -> bool:
        """Whether this site can make the parent anew, as it was: it must know all of it."""
        return self.waits and self.parent is None and self.former is not None and _is_whole(self.kind, self.former)


@dataclass(frozen=True)
class Background:
    """What some conflicts need to be told of records beside their own."""

    records: Records
    holders: Mapping[tuple[str, str, str], Any] = field(default_factory=dict)
    parents: Records = field(default_factory=dict)
    unshown: Mapping[Kind, Mapping[str, Unshown]] = field(default_factory=dict)
    claimed: Mapping[Kind, Mapping[str, Unshown]] = field(default_factory=dict)

    def held(self, conflict: ConflictView) -> Held:
        kind, key = BY_TABLE[conflict.table], conflict.key[0]
        if UUID(key) in self.records[kind]:
            claims = self.claimed.get(kind, {}).get(key)
            waits = claims is not None and conflict.column in claims.cells
        else:
            waits = self._hidden(kind, key) == "unique"
        return Held(self.holder(conflict), waits)

    def holder(self, conflict: ConflictView) -> Any:
        """Who shows the value now, other than who claims it."""
        found = self.holders.get((conflict.table, conflict.column, conflict.loser.value or ""))
        return found if found is not None and str(found.pk) != conflict.key[0] else None

    def fall(self, conflict: ConflictView) -> Fall:
        kind, parent_kind = BY_TABLE[conflict.table], parent_of(conflict)
        waits = self._hidden(kind, conflict.key[0]) == "fallen"
        if parent_kind is None or conflict.loser.value is None:
            return Fall(parent_kind, None, None, waits)
        key = UUID(conflict.loser.value)
        return Fall(parent_kind, self.parents[parent_kind].get(key), self.former(parent_kind, str(key)), waits)

    def former(self, kind: Kind, key: str) -> Any:
        """A record that is not to be seen, as it was last; None where that is not kept."""
        image = self.unshown.get(kind, {}).get(key)
        return recall(kind, key, image.cells) if image else None

    def _hidden(self, kind: Kind, key: str) -> str:
        image = self.unshown.get(kind, {}).get(key)
        return image.hidden if image else ""


def look_up(conflicts: Sequence[ConflictView], records: Records) -> Background:
    """Find it, asking once for each kind of record and only for what some conflict needs."""
    claims = [conflict for conflict in conflicts if conflict.type == UNIQUE]
    falls = [conflict for conflict in conflicts if conflict.type == PARENT]
    parents = _parents(falls)
    wanted: dict[Kind, set[str]] = defaultdict(set)
    for kind, key in [*_named(conflicts), *((kind, key) for kind, keys in parents.items() for key in keys)]:
        if key not in records.get(kind, {}) and parents.get(kind, {}).get(key) is None:
            wanted[kind].add(str(key))
    return Background(
        records,
        _holders(claims),
        {kind: {key: row for key, row in rows.items() if row is not None} for kind, rows in parents.items()},
        {kind: out_of_table(database(), kind.table, sorted(keys)) for kind, keys in wanted.items()},
        _claimed(claims),
    )


def parent_of(conflict: ConflictView) -> Kind | None:
    """Of which kind the record is that a column refers to."""
    known = BY_TABLE[conflict.table].column(conflict.column)
    return BY_MODEL.get(known.field.related_model) if known and isinstance(known.field, ForeignKey) else None


def recall(kind: Kind, key: str, cells: Mapping[str, str | None]) -> Any:
    """A record out of its last image; it is not saved."""
    rules = config().rules.table(kind.table)
    values = {
        name: value_of(known, cells[rules.first_name(name)])
        for name, known in kind.fields.items()
        if rules.first_name(name) in cells
    }
    return kind.model(**values | {"id": UUID(key)})


def _is_whole(kind: Kind | None, former: Any) -> bool:
    """Whether this site has each of its values, and a mask in none's place."""
    shares = [rule.share for rule in config().rules.table(kind.table).columns.values()] if kind else []
    return all(
        share.reaches(this_site().name, share.column and str(getattr(former, share.column)))
        for share in shares
        if share
    )


def _named(conflicts: Iterable[ConflictView]) -> list[tuple[Kind, UUID]]:
    return [(BY_TABLE[conflict.table], UUID(conflict.key[0])) for conflict in conflicts]


def _parents(falls: Iterable[ConflictView]) -> dict[Kind, dict[UUID, Any]]:
    """The records that others fell with, by key; None for those that are not here."""
    keys: dict[Kind, set[UUID]] = defaultdict(set)
    for conflict in falls:
        kind = parent_of(conflict)
        if kind and conflict.loser.value:
            keys[kind].add(UUID(conflict.loser.value))
    return {kind: {**dict.fromkeys(some), **kind.get_rows(list(some))} for kind, some in keys.items()}


def _holders(claims: Iterable[ConflictView]) -> dict[tuple[str, str, str], Any]:
    """Who shows what is claimed, by table, column and the claimed value's text."""
    texts: dict[tuple[Kind, str], set[str]] = defaultdict(set)
    for conflict in claims:
        if conflict.loser.value is not None:
            texts[BY_TABLE[conflict.table], conflict.column].add(conflict.loser.value)
    found = {}
    for (kind, column), some in texts.items():
        known = kind.fields.get(column)
        if known is not None and known.unique:
            values = {value_of(known, text): text for text in some}
            for row in kind.rows.filter(**{f"{column}__in": values}):
                found[kind.table, column, values[getattr(row, column)]] = row
    return found


def _claimed(claims: Iterable[ConflictView]) -> dict[Kind, dict[str, Unshown]]:
    keys: dict[Kind, set[UUID]] = defaultdict(set)
    for kind, key in _named(claims):
        keys[kind].add(key)
    return {kind: claims_of(database(), kind.table, "id", list(some)) for kind, some in keys.items()}

"""Which rows exist that do not live by themselves: parents that return, and children that were deleted with them. Pure.

1. A row that lives (`core.merge.lives`) exists.
2. A parent that was deleted exists where a row refers to it that exists, by a foreign key under which parents return.
3. A row that was deleted *with its parent* (``ON DELETE CASCADE``) and by nobody else exists where all such parents of
   it do, and one of them although it was deleted, in the life that it had then: that delete came to nothing, and so did
   what followed from it. So the row comes back when its parent does, and goes when its parent goes for good. A parent
   that is made anew owes it nothing.
4. Nothing else exists: rows that have nobody but each other do not. Whoever came back with a parent does not hold it.
   As more rows make only more exist, there is one least set, whatever order it is found in.

What would break it: to remember who came back, rather than ask by whom it is held now; to ask each row once; to begin
with whoever is in sight, so that rows hold each other.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from replication.core.changes import Key

Name = tuple[tuple[str, str], Key]
"""Table and key."""


@dataclass(frozen=True, slots=True)
class Member:
    """What a row says by itself, and to whom it refers."""

    lives: bool
    base: int = 1
    """The moment of its insert; 0: that was not seen."""
    deleted: int = 0
    cascaded: bool = False
    """It was deleted with a parent, and by nobody else."""
    holds: frozenset[Name] = frozenset()
    """The parents that return for it."""
    follows: frozenset[Name] = frozenset()
    """The parents with which it is deleted."""


def existing(members: Mapping[Name, Member]) -> set[Name]:
    """Those of these rows that exist."""
    found = {name for name, member in members.items() if member.lives}
    while True:
        held = {parent for name in found for parent in members[name].holds}
        more = {
            name
            for name, member in members.items()
            if name not in found and member.base and (name in held or _comes_back(member, members, found))
        }
        if not more:
            return found
        found |= more


def _comes_back(member: Member, members: Mapping[Name, Member], found: Collection[Name]) -> bool:
    parents = [members[name] for name in member.follows if name in found]
    undone = any(parent.deleted and parent.base < member.deleted for parent in parents)
    return member.cascaded and len(parents) == len(member.follows) and undone

"""Circles of foreign keys in which it is not decided who is there.

A row whose foreign key says `falls` is in sight only while its parent is; a deleted parent whose key says `returns` is
in sight only while such a child is. Where these lead round in a circle (transfers that return for the account that they
come from, and fall with the one that they go to) rows may hold each other in sight or let each other fall. Both are
consistent, and nothing is proven of which of them every order of arrival ends in, so such rules are refused.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from .errors import Wrong
from .shape_faults import dotted


class Reference(NamedTuple):
    """A foreign key between two replicated tables, and what its rule says of a deleted parent."""

    child: str
    name: str
    parent: str
    rule: str


def circle_faults(references: Sequence[Reference]) -> Iterator[tuple[str, Wrong]]:
    """Find each `falls` that stands in a circle with a `returns`; yields it with its table."""
    depends = {table: set[str]() for one in references for table in (one.child, one.parent)}
    for one in references:
        if one.rule == "falls":
            depends[one.child].add(one.parent)
        elif one.rule == "returns":
            depends[one.parent].add(one.child)
    reached = {table: _reached(table, depends) for table in depends}
    for falls in (one for one in references if one.rule == "falls"):
        circle = {table for table in reached[falls.parent] if falls.child in reached[table]}
        returning = sorted(
            f"{one.name} of {one.child}"
            for one in references
            if one.rule == "returns" and falls.child in circle and {one.child, one.parent} <= circle
        )
        if returning:
            message = f'"falls" stands in a circle with "returns" ({", ".join(returning)}): who is there is not decided'
            hint = f'say "null" for one of them where it can be NULL, or the same for all: {_listed(circle)}'
            yield falls.child, Wrong(dotted(("parent", falls.name)), message, hint)


def _reached(table: str, depends: dict[str, set[str]]) -> set[str]:
    """A table and all that it depends on."""
    found, left = {table}, [table]
    while left:
        fresh = depends[left.pop()] - found
        found |= fresh
        left += fresh
    return found


def _listed(tables: Iterable[str]) -> str:
    return ", ".join(sorted(tables))

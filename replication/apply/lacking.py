"""What this site's table has no column for: the cells are taken out of a change, and the others go on. Pure.

A change is a partial state, and so are its cells: to merge some of them now and the others when their column is there
is to merge it whole (invariant 3). Sites may therefore change their schema on different days (pitfall P14).
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TypeVar

from replication.core.changes import Change
from replication.wire.message import PARTS_OF, Section

T = TypeVar("T")
_PREFIXES = ("moment:", "epoch:", "term:", "generation:", PARTS_OF)


def section_of(section: Section, columns: Collection[str]) -> Section:
    """The section with its key and these of its cells."""
    places = [n for n, name in enumerate(section.columns) if n < section.key_count or name in columns]
    left_out = {name for n, name in enumerate(section.columns) if n not in places}
    return replace(
        section,
        columns=tuple(section.columns[place] for place in places),
        values=[section.values[place] for place in places],
        extra=_without(section.extra, left_out),
        blobs=_without(section.blobs, left_out),
    )


def _without(named: Mapping[str, T], left_out: Collection[str]) -> dict[str, T]:
    gone = {prefix + name for prefix in _PREFIXES for name in left_out}
    return {name: column for name, column in named.items() if name not in gone}


def change_of(change: Change, columns: Collection[str]) -> Change:
    """The change with these of its cells."""
    return replace(
        change,
        cells={name: value for name, value in change.cells.items() if name in columns},
        authority={name: pair for name, pair in change.authority.items() if name in columns},
        parts={name: parts for name, parts in change.parts.items() if name in columns},
    )

"""Were two versions of a cell concurrent? Pure.

Two versions are concurrent when neither author had the other's (design, and pitfall P16: the stamps alone cannot tell
a conflict from a late arrival). What an author had is known from the applied positions that its site sends with its
changes. A :class:`Passage` says, for a run of one origin's changes, which moments lie in which LSN range and what that
origin had applied of the others by then.

Where the ranges leave it open, the answer is "concurrent": a record too many is noise, a silent overwrite is not.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from replication.core.stamps import site_of


class Passage(NamedTuple):
    """A run of one origin's changes: its moments, its range ``(from_lsn, to_lsn]``, and what the origin had applied."""

    site: int
    low: int
    high: int
    from_lsn: int
    to_lsn: int
    applied: Mapping[int, int]
    """Site number -> LSN up to which the origin had applied that site's changes."""


def had(author: Passage | None, version: int, passages: Sequence[Passage]) -> bool:
    """Had the author of ``author``'s changes surely seen the version written at this moment?

    ``passages`` are those known for the version's site. A moment older than all of them was passed by every site.
    """
    if author is None:
        return False
    site = site_of(version)
    if site == author.site:
        return version <= author.high
    if passages and version < min(passage.low for passage in passages):
        return True
    holding = [passage.to_lsn for passage in passages if passage.low <= version <= passage.high]
    return bool(holding) and max(holding) <= author.applied.get(site, 0)


def holder(version: int, passages: Sequence[Passage]) -> Passage | None:
    """The passage that brought the version at this moment: of several, the one that had applied least."""
    holding = [passage for passage in passages if passage.low <= version <= passage.high]
    return min(holding, key=lambda passage: sum(passage.applied.values()), default=None)

"""A cell's state, and what a rule is.

Under most rules a stamp and a value say all. Under ``counter``, ``set`` and ``append`` the state is made of *parts*: a
map from a key to (order, amount), and joining is taking the greater pair for each key. That is a lattice whatever the
keys mean; a rule says what they mean, and what value the parts show.

Parts are kept *folded* beside the row: without what its value and the moment of its insert say already.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from replication.core.stamps import Stamp, hlc_of, site_of

Part = tuple[int, str]
Parts = Mapping[str, Part]
NO_PARTS: Parts = {}


class Cell(NamedTuple):
    """One column of one row: its stamp, its value in PostgreSQL's text form, and its parts, unfolded."""

    stamp: Stamp
    value: bytes | None
    parts: Parts = NO_PARTS
    masked: bool = False
    """Does the value stand for one that this site may not have?"""


class Write(NamedTuple):
    """A local write of one cell, at a moment above all that its author saw."""

    value: bytes | None
    at: int
    authority: bool = False
    """Has this site the authority that the rule gives somebody?"""
    term: int = 0
    """Under ``owner``: the moment of the owner cell that the author saw."""


Join = Callable[[Cell, Cell], Cell]
Fold = Callable[[Parts, bytes | None, int], Parts]


def _as_it_is(parts: Parts, _value: bytes | None, _base: int) -> Parts:
    return parts


@dataclass(frozen=True, slots=True)
class Rule:
    """How two states of a cell become one, and what a local write makes of one."""

    join: Join
    """The least state that contains both."""
    write: Callable[[Cell, Write], Cell]
    """The state after a local write, and the value that it shows: the stamp trigger leaves the same in the row."""
    fold: Fold = _as_it_is
    """(parts, value, moment of the row's insert) -> the parts as they are kept beside the row."""
    unfold: Fold = _as_it_is
    """What :attr:`fold` took away, put back."""


def parts_from_json(body: Mapping[str, Sequence[Any]]) -> Parts:
    """Parts as JSON holds them, pairs as lists."""
    return {key: (int(order), str(amount)) for key, (order, amount) in body.items()}


def may_be_written(parts: Parts, number: int, since_us: int) -> bool:
    """May a site have written one of these from a moment on? A count says by whom and not when, and what was taken away
    neither: that may be."""
    return any(
        key.startswith("-") or key == str(number) or (site_of(order) == number and hlc_of(order) >= since_us)
        for key, (order, _) in parts.items()
    )


def join_parts(left: Parts, right: Parts) -> Parts:
    """The greater of both for each key."""
    joined = dict(left)
    for key, part in right.items():
        joined[key] = max(joined.get(key, part), part)
    return joined

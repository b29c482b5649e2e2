"""Which ranges of two tables to compare next, given their digests: pure. The reading and asking are the caller's.

A table's rows stand in the order of their keys. The other site cuts a range into *parts*, runs of rows, and says of
each its last key, how many rows it has and one digest over them. Whoever compares sums its own rows between the same
keys; what differs is asked for again in smaller parts, until a part is a row.

1. What is found is what differs, all of it and nothing else (tests/laws/test_ranges.py); the number of parts that are
   said grows with what differs, times the logarithm of what there is.
2. The parts of a range leave nothing out: each begins where the one before it ends, and what lies behind the last one
   is a part too, without rows.
3. The order may be another at the other site (a collation). Then a row may seem to differ that does not, for it is
   looked at with others; none is passed over. So what is found is looked at once more, by its key.
4. Digests of rows are added by exclusive or. Each is over the row's key too, so equal differences do not cancel out.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

Key = tuple[str, ...]
"""A primary key in text form."""

PART_ROWS = 16384
"""Of the first look."""
FAN_OUT = 8
LISTED_ROWS = 16
"""A part of so few rows is asked for row by row."""
MOST_HELD = 1000
"""Differing rows that are held; of the others it is known that they are there."""


class Range(NamedTuple):
    """The keys behind ``after``, up to and with ``upto``; None: without a bound."""

    after: Key | None = None
    upto: Key | None = None


class Sum(NamedTuple):
    """How many rows, and their digest."""

    rows: int
    digest: int


NOTHING = Sum(0, 0)


class Part(NamedTuple):
    """A run of rows, by the key of its last one."""

    last: Key
    sum: Sum


class Ask(NamedTuple):
    """A range, and how many rows a part of it is to have."""

    range: Range
    rows: int


class Reply(NamedTuple):
    """Parts of a range, from its beginning; ``is_whole``: nothing is behind the last."""

    parts: Sequence[Part]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Own:
    """One's own side of the comparison."""

    sums: Callable[[Sequence[Range]], Sequence[Sum]]
    rows: Callable[[Range, int], Mapping[Key, int]]
    """The first rows of a range, at most so many, with their digests."""


@dataclass(slots=True)
class Walk:
    """One comparison of two tables: what is to be asked, and what was found so far."""

    asks: deque[Ask] = field(default_factory=lambda: deque([Ask(Range(), PART_ROWS)]))
    found: set[Key] = field(default_factory=set)
    """Keys of rows that differ, or seem to."""
    more: int = 0
    """Parts that differ and were not looked into."""
    compared: int = 0
    """Own rows, so far."""

    def next(self, most: int) -> list[Ask]:
        """What to ask now; small parts before large ones, while what they show is fresh."""
        return [self.asks.popleft() for _ in range(min(most, len(self.asks)))]

    def take(self, ask: Ask, reply: Reply, own: Own) -> None:
        """Learn from what was said to one ask."""
        ranges, said = _ranges(ask.range, reply)
        if not reply.is_whole and reply.parts:
            self.asks.append(Ask(Range(reply.parts[-1].last, ask.range.upto), ask.rows))
        if ask.rows == 1:
            self._compare_rows(Range(ask.range.after, ranges[-1].upto), reply, own)
            return
        mine = own.sums(ranges)
        for part, theirs, ours in zip(ranges, said, mine, strict=True):
            if ask.rows == PART_ROWS:
                self.compared += ours.rows
            if theirs != ours:
                self._narrow(part, theirs, own)

    def _narrow(self, part: Range, theirs: Sum, own: Own) -> None:
        if len(self.found) >= MOST_HELD:
            self.more += 1
        elif theirs.rows == 0:
            self._hold(own.rows(part, MOST_HELD + 1))
        else:
            rows = 1 if theirs.rows <= LISTED_ROWS else -(-theirs.rows // FAN_OUT)
            self.asks.appendleft(Ask(part, rows))

    def _compare_rows(self, covered: Range, reply: Reply, own: Own) -> None:
        theirs = {part.last: part.sum.digest for part in reply.parts}
        ours = own.rows(covered, MOST_HELD + len(theirs) + 1)
        self._hold([key for key in {**theirs, **ours} if theirs.get(key) != ours.get(key)])

    def _hold(self, keys: Sequence[Key] | Mapping[Key, int]) -> None:
        for key in keys:
            if len(self.found) < MOST_HELD or key in self.found:
                self.found.add(key)
            else:
                self.more += 1


def _ranges(asked: Range, reply: Reply) -> tuple[list[Range], list[Sum]]:
    """Where the parts lie, and their sums; with what is behind the last."""
    ends = [part.last for part in reply.parts]
    ranges = [Range(after, last) for after, last in zip([asked.after, *ends], ends, strict=False)]
    sums = [part.sum for part in reply.parts]
    if reply.is_whole:
        ranges.append(Range(ends[-1] if ends else asked.after, asked.upto))
        sums.append(NOTHING)
    return ranges, sums

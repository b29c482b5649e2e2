"""Compares a table with a peer's in the background: over the bus, at a bounded rate, while people work.

1. No site opens another's database: what is exchanged are digests of ranges (replication/core/ranges.py), and keys.
2. What seems to differ is looked at by its key, then both sites pass what the other had applied by then (``Vector``),
   and look after the rows that follow from others, then it is looked at again. It differs if it stands in the same two
   states as before; what has moved meanwhile is looked at once more, some times, and then not decided. So a change on
   its way is no difference, nor is one that is made while the tables are read.
3. Rows are read, here and there, and letters exchanged, no faster than the pace allows.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from replication.clock import pause
from replication.core.ranges import Ask, Key, Part, Reply, Sum, Walk
from replication.errors import DecodeError
from replication.postgres.connect import Connection
from replication.verify.between import Vector, digests_between, dropped, enlisted, shape_of, vector_from_json, vector_of
from replication.verify.parts import Parts
from replication.verify.serving import MOST_ASKS, MOST_KEYS
from sitecfg import Config, Site

LOOKS = 5
FENCE_SECONDS = 60.0
_FIRST_PARTS = 4
_MORE_PARTS = 16

State = tuple[int | None, int | None]
"""A row's digests, here and at the peer; None: it is not there."""


class Line(Protocol):
    """A way to ask the peer."""

    def __call__(self, what: str, body: Mapping[str, Any]) -> Mapping[str, Any]: ...

    @property
    def bytes_exchanged(self) -> int:
        """So far."""


@dataclass(slots=True)
class Pace:
    """How fast it may go: rows read at each site, and bytes of letters, in a second."""

    rows_per_second: float
    bytes_per_second: float
    _began: float = field(default_factory=time.monotonic)

    def seconds_early(self, rows: int, exchanged: int) -> float:
        """How much too early it is for so much to be done."""
        due = max(rows / self.rows_per_second, exchanged / self.bytes_per_second)
        return max(self._began + due - time.monotonic(), 0.0)


@dataclass(frozen=True, slots=True)
class Found:
    """What a comparison came to."""

    rows: int
    """Of this site, compared."""
    differing: Sequence[Key]
    is_more: bool = False
    """More differ than are named."""
    undecided: str = ""
    """Why it cannot be said that there is nothing else."""


@dataclass(slots=True)
class Comparison:
    """One table of this site and one peer's."""

    connection: Connection
    config: Config
    site: Site
    peer: str
    line: Line
    pace: Pace
    progress: Callable[[int], None] = lambda _: None
    """Told how many rows are compared so far."""
    poll_seconds: float = 1.0
    """Between two questions where the peer stands."""
    _done: int = 0
    """Rows of this site in scopes that are done."""

    def compare(self, name: tuple[str, str]) -> Found:
        """Find the rows in which the two differ.

        Raises :class:`RefusedError` where the peer says that it cannot be compared, :class:`BrokerUnavailable` where it
        does not answer.
        """
        table = enlisted(self.connection, name)
        said = _listed(self.line("table", {"table": list(name)}), "dropped")
        gone = tuple(sorted(dropped(self.connection, table).union(map(str, said))))
        wanted = {"table": list(name), "rules": self.config.rules.version, "shape": shape_of(table)}
        wanted |= {"dropped": list(gone)}
        found = list[Found]()
        for scope, digests in enumerate(digests_between(table, self.config.rules, (self.site.name, self.peer), gone)):
            parts = Parts(self.connection, digests)
            found.append(self._compare_scope(parts, {**wanted, "scope": scope}))
        return Found(
            sum(one.rows for one in found),
            list(dict.fromkeys(key for one in found for key in one.differing)),
            is_more=any(one.is_more for one in found),
            undecided="; ".join(sorted({one.undecided for one in found} - {""})),
        )

    def _compare_scope(self, parts: Parts, wanted: Mapping[str, Any]) -> Found:
        walk = Walk()
        while asks := walk.next(MOST_ASKS):
            replies = self._ask_parts(wanted, asks)
            for ask, reply in zip(asks, replies, strict=False):
                walk.take(ask, reply, parts.own)
            walk.asks.extendleft(reversed(asks[len(replies) :]))
            self.progress(self._done + walk.compared)
            pause(self.pace.seconds_early(self._done + walk.compared, self.line.bytes_exchanged))
        self._done += walk.compared
        standing, undecided = self._confirm(parts, wanted, sorted(walk.found))
        return Found(walk.compared, standing, is_more=walk.more > 0, undecided=undecided)

    def _ask_parts(self, wanted: Mapping[str, Any], asks: Sequence[Ask]) -> list[Reply]:
        listed = [[*map(_texts, ask.range), ask.rows, _most(ask)] for ask in asks]
        said = _listed(self.line("parts", {**wanted, "asks": listed}), "replies")
        try:
            return [_reply(body) for body in (said[: len(asks)] or [[[], False]])]
        except (TypeError, ValueError) as fault:
            raise DecodeError(f"{self.peer} answers what was not asked: {fault}") from fault

    # -- what seems to differ ------------------------------------------------------------------------------------------

    def _confirm(self, parts: Parts, wanted: Mapping[str, Any], keys: Sequence[Key]) -> tuple[list[Key], str]:
        """Of these rows those that differ and stand still; and why others could not be decided on."""
        standing, before = list[Key](), self._states(parts, wanted, keys)
        for _ in range(LOOKS):
            if not before:
                return sorted(standing), ""
            if late := self._pass():
                return sorted(standing), late
            after = self._states(parts, wanted, list(before))
            standing += [key for key, state in after.items() if state == before[key]]
            before = {key: state for key, state in after.items() if state != before[key]}
        return sorted(standing), f"{len(before)} rows differ and keep changing" if before else ""

    def _states(self, parts: Parts, wanted: Mapping[str, Any], keys: Sequence[Key]) -> dict[Key, State]:
        """The rows that differ now."""
        found: dict[Key, State] = {}
        for start in range(0, len(keys), MOST_KEYS):
            some = keys[start : start + MOST_KEYS]
            said = _listed(self.line("states", {**wanted, "keys": [list(key) for key in some]}), "states", len(some))
            for key, here, there in zip(some, parts.states(some), said, strict=True):
                if here != there:
                    found[key] = here, there
        return found

    def _pass(self) -> str:
        """Wait until each site has applied what the other had, and has looked after what follows from it; why not, if
        it takes too long."""
        here, there = self._vectors(fence=True)
        wanted: tuple[int, int] | None = None
        deadline = time.monotonic() + FENCE_SECONDS
        while time.monotonic() < deadline:
            now_here, now_there = self._vectors(fence=False)
            if wanted is None and there.is_passed_by(now_here) and here.is_passed_by(now_there):
                wanted = now_here.looks + 2, now_there.looks + 2  # one may be under way
            if wanted is not None and now_here.looks >= wanted[0] and now_there.looks >= wanted[1]:
                return ""
            pause(self.poll_seconds)
        return f"{self.site.name} and {self.peer} are behind each other's changes: what differs may be on its way"

    def _vectors(self, *, fence: bool) -> tuple[Vector, Vector]:
        here = vector_of(self.connection, self.site.name, fence=fence)
        return here, vector_from_json(self.peer, self.line("positions", {"fence": fence}))


def _listed(said: Mapping[str, Any], name: str, count: int | None = None) -> list[Any]:
    found = said.get(name)
    if not isinstance(found, list) or count not in (None, len(found)):
        raise DecodeError(f"an answer without its {name}")
    return found


def _most(ask: Ask) -> int:
    return _FIRST_PARTS if ask.range.upto is None else _MORE_PARTS


def _texts(key: Key | None) -> list[str] | None:
    return None if key is None else list(key)


def _reply(body: Any) -> Reply:
    said, is_whole = body
    parts = [Part(tuple(map(str, last)), Sum(int(rows), int(digest))) for last, rows, digest in said]
    if not parts and not is_whole:
        raise ValueError("nothing is said, and more is to come")
    return Reply(parts, bool(is_whole))

"""What each column rule allows a cell to show in the end, from what the rule means to people.

Each function answers what is wrong, in words; nothing where the shown value is allowed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from tests.referee.history import Cell, Table, Value, Write
from tests.referee.values import elements, magnitude, number


@dataclass(frozen=True, slots=True)
class Case:
    """One cell, what is shown of it, and the cells beside it."""

    table: Table
    cell: Cell
    shown: Value
    cells: Mapping[str, Cell]

    def one_of(self, writes: Iterable[Write], why: str) -> str:
        """Wrong unless the shown value is that of one of these writes."""
        allowed = {self.cell.value(write) for write in writes}
        return "" if self.shown in allowed else f"{why}: {' or '.join(sorted(map(repr, allowed)))}"


Beats = Callable[[Write, Write], bool]


def _unbeaten(cell: Cell, beats: Beats) -> list[Write]:
    """The last of those that no concurrent write beats."""
    return cell.last(
        one for one in cell.writes if not any(cell.apart(one, other) and beats(other, one) for other in cell.writes)
    )


def latest(case: Case) -> str:
    """A value that nobody saw and wrote over; where some site's writes have the say, as `site`."""
    return site(case)


def site(case: Case) -> str:
    """What that site writes beats all that is concurrent with it; who has seen it may write over it."""
    unbeaten = _unbeaten(case.cell, lambda one, other: _outdoes(case, one, other))
    return case.one_of(unbeaten, "by who has the say that leaves")


def _outdoes(case: Case, one: Write, other: Write) -> bool:
    """One has the say, and the other neither has it nor was written over anybody's word that the first did not know:
    who has seen what one site said may write over it, and stands as that site does against what another says."""
    if not _has_the_say(case, one) or _has_the_say(case, other):
        return False
    words = {write.id for write in case.cell.writes if _has_the_say(case, write)}
    return case.cell.below[other.id] & words <= case.cell.below[one.id]


def _has_the_say(case: Case, write: Write) -> bool:
    rule = case.table.columns[case.cell.column]
    by, has = (rule.written_by[write.site], write.site) if write.site in rule.written_by else (rule.name, rule.site)
    return write.site == has if by == "site" else by == "owner" and _owns(case.table.owner, write)


def owner(case: Case) -> str:
    """As `site`, for the site that the row's owner column names, or for whom a clause names; who moves the row moves
    that. So what was written
    under a later owner beats what was written, concurrently, by somebody who did not know of the move."""
    owners = case.cells[case.table.owner]
    under = {write.id: _move(owners, write) for write in case.cell.writes}

    def beats(one: Write, other: Write) -> bool:
        later, earlier = under[one.id], under[other.id]
        if later is None or earlier is None:
            return False
        if later is earlier:
            return _outdoes(case, one, other)
        return owners.saw(later, earlier)

    return case.one_of(_unbeaten(case.cell, beats), "by who owned the row that leaves")


def _move(owners: Cell, write: Write) -> Write | None:
    """The write that made the owner whom this author had before him. None: of concurrent moves it cannot be told."""
    if write.op == "insert":
        return write
    moves = owners.last(move for move in owners.writes if move.id in write.seen)
    named = [move for move in moves if owners.value(move) == write.before[owners.column]]
    return named[0] if len(named) == 1 else None


def _owns(column: str, write: Write) -> bool:
    return write.site == (write.after if write.op == "insert" else write.before)[column]


def counter(case: Case) -> str:
    """A start value, and every change."""
    changes = [
        number(case.cell.value(write)) - number(write.before[case.cell.column])
        for write in case.cell.writes
        if write.op == "update"
    ]
    starts = {number(case.cell.value(write)) for write in case.cell.writes if write.op == "insert"}
    allowed = {start + sum(changes) for start in starts}
    return "" if number(case.shown) in allowed else f"start and changes make {' or '.join(map(str, sorted(allowed)))}"


def observed_remove(case: Case) -> str:
    """An element is there while one of its additions was seen by no removal of it."""
    cell, additions, removals = case.cell, [], []
    for write in cell.writes:
        old = elements(write.before[cell.column]) if write.op == "update" else frozenset()
        new = elements(cell.value(write))
        additions += [(write, element) for element in new - old]
        removals += [(write, element) for element in old - new]
    there = {
        element
        for write, element in additions
        if not any(element == removed and cell.saw(removal, write) for removal, removed in removals)
    }
    return "" if elements(case.shown) == there else f"added and not removed by one who saw it are {sorted(there)}"


def append(case: Case) -> str:
    """Every fragment once, none before one that its author had seen; without what somebody saw and replaced."""
    cell, replaced, fragments = case.cell, set[str](), dict[str, str]()
    for write in cell.writes:
        old, new = write.before.get(cell.column), cell.value(write)
        goes_on = write.op == "update" and old is not None and new is not None and new.startswith(old)
        replaced |= set() if goes_on else cell.below[write.id]
        if new is not None:
            fragments[write.id] = new[len(old or "") if goes_on else 0 :]
    left = {name: text for name, text in fragments.items() if name not in replaced}
    if case.shown is None:
        return f"the fragments {sorted(left.values())} are missing" if left else ""
    if left and _is_made_of(case.shown, left, cell.below):
        return ""
    return f"it is not made of {sorted(left.values())}, each once, and each behind what its author saw"


def _is_made_of(text: str, fragments: Mapping[str, str], below: Mapping[str, frozenset[str]]) -> bool:
    """Is the text these fragments in some order that puts none before one below it?"""
    dead: set[frozenset[str]] = set()

    def goes_on(left: frozenset[str], rest: str) -> bool:
        if not left:
            return not rest
        if left in dead:
            return False
        firsts = (name for name in left if not below[name] & left and rest.startswith(fragments[name]))
        found = any(goes_on(left - {name}, rest[len(fragments[name]) :]) for name in firsts)
        if not found:
            dead.add(left)
        return found

    return goes_on(frozenset(fragments), text)


def greatest(case: Case) -> str:
    return _extreme(case, max)


def least(case: Case) -> str:
    return _extreme(case, min)


def _extreme(case: Case, extreme: Callable[..., str]) -> str:
    """The extreme of what was written. A correction by one who saw it beats what it corrects, and all that had not seen
    the correction: of what stands behind the most corrections in a row, the extreme. No value is less than any."""
    cell, corrections = case.cell, dict[str, int]()
    for write in cell.writes:
        seen = max((corrections[other] for other in cell.below[write.id]), default=0)
        corrections[write.id] = seen + (write.op == "update" and _corrects(cell, write, extreme))
    most = max(corrections.values())
    top = [write for write in cell.writes if corrections[write.id] == most]
    values = [value for value in map(cell.value, top) if value is not None]
    best = magnitude(extreme(values, key=magnitude)) if values else None
    standing = [write for write in top if _magnitude(cell.value(write)) == best]
    return case.one_of(standing, "the extreme, corrections counted, is")


def _corrects(cell: Cell, write: Write, extreme: Callable[..., str]) -> bool:
    old, new = write.before[cell.column], cell.value(write)
    return old is not None and (new is None or extreme([new, old], key=magnitude) != new)


def _magnitude(value: Value) -> object:
    return None if value is None else magnitude(value)


def frozen(case: Case) -> str:
    """A first value: one that nobody wrote who had seen another."""
    valued = [write for write in case.cell.writes if case.cell.value(write) is not None]
    firsts = [one for one in valued if not any(case.cell.saw(one, other) for other in valued)]
    return case.one_of(firsts or case.cell.writes, "set first is")


ALLOWS: Mapping[str, Callable[[Case], str]] = {
    "latest": latest,
    "site": site,
    "owner": owner,
    "counter": counter,
    "set": observed_remove,
    "append": append,
    "greatest": greatest,
    "least": least,
    "frozen": frozen,
}

COUNTS_ALL = frozenset({"counter", "set", "append"})
"""Rules under which no write loses."""

BY_VALUE = frozenset({"greatest", "least", "frozen"})
"""Rules under which not the later of two writes wins."""

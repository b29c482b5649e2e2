"""``counter``: concurrent changes add up.

Parts: under a site's number how many changes it made and their sum; under ``""`` the moment and the value of the
insert, so that of two concurrent inserts one start value holds and both sites' changes count. The value shown is the
sum of all, 0 for a NULL that was typed. A NULL that nobody typed (it was there before the rule) is shown until somebody
counts.

Folded, the start value of the row's insert is left out: it is what the others do not account for. One that the column's
present generation began with stays.
"""

from decimal import Context, Decimal, Inexact

from replication.core.rules.cells import Cell, Parts, Rule, Write, join_parts
from replication.core.stamps import Stamp, site_of

_EXACT = Context(prec=2000, traps=[Inexact])
START = ""


def _total(parts: Parts) -> Decimal:
    total = Decimal(0)
    for _, amount in parts.values():
        total = _EXACT.add(total, Decimal(amount))
    return total


def _text(number: Decimal) -> str:
    return f"{number:f}"


def _shown(parts: Parts) -> bytes:
    return _text(_total(parts)).encode()


def _join(left: Cell, right: Cell) -> Cell:
    """The value is not known until the insert is."""
    parts = join_parts(left.parts, right.parts)
    is_null = left.value is None and right.value is None and parts.keys() == {START}
    value = None if is_null or START not in parts else _shown(parts)
    return Cell(max(left.stamp, right.stamp), value, parts)


def _write(before: Cell, write: Write) -> Cell:
    """The difference is this site's change, also where a person set a number."""
    site = str(site_of(write.at))
    count, total = before.parts.get(site, (0, "0"))
    change = _EXACT.subtract(Decimal((write.value or b"0").decode()), Decimal((before.value or b"0").decode()))
    entry = (count + 1, _text(_EXACT.add(Decimal(total), change)))
    parts = {**before.parts, site: entry}
    return Cell(Stamp(0, 0, write.at), _shown(parts), parts)


def _fold(parts: Parts, _value: bytes | None, base: int) -> Parts:
    return {key: part for key, part in parts.items() if key != START or part[0] != base}


def _unfold(parts: Parts, value: bytes | None, base: int) -> Parts:
    if START in parts:
        return parts
    start = _EXACT.subtract(Decimal((value or b"0").decode()), _total(parts))
    return {**parts, START: (base, _text(start))}


COUNTER = Rule(_join, _write, _fold, _unfold)

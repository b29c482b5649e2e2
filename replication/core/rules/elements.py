"""``set``: concurrent additions and removals of elements all count; what is added while it is removed stays.

Parts: under ``+site:element`` the moment of that site's last addition, unless it was removed; under ``-site:element``
the moment of the newest addition by that site which a removal saw. An element is there while some site's addition is
not removed. The value shown is sorted, by number or by bytes, each element once.

Folded, an element that was there when the row was inserted, and that nobody has touched, is left out.
"""

import re
from collections import Counter
from collections.abc import Iterable

from replication.core.arrays import format_array, parse_array
from replication.core.rules.cells import Cell, Parts, Rule, Write, join_parts
from replication.core.stamps import Stamp, site_of

_INTEGER = re.compile(r"-?[0-9]+")


def _elements(value: bytes | None) -> set[str]:
    return {element for element in parse_array((value or b"{}").decode()) if element is not None}


def _element(key: str) -> str:
    return key.partition(":")[2]


def _present(parts: Parts) -> set[str]:
    return {_element(key) for key in parts if key[0] == "+"}


def _format(elements: Iterable[str]) -> bytes:
    found = list(elements)
    if all(_INTEGER.fullmatch(element) for element in found):
        return format_array(sorted(found, key=lambda element: (int(element), element))).encode()
    return format_array(sorted(found, key=str.encode)).encode()


def _cell(at: Stamp, parts: Parts) -> Cell:
    """An addition that was removed is forgotten: that it was stays known."""
    gone = {"+" + key[1:]: order for key, (order, _) in parts.items() if key[0] == "-"}
    kept = {key: part for key, part in parts.items() if part[0] > gone.get(key, 0)}
    return Cell(at, _format(_present(kept)), kept)


def _join(left: Cell, right: Cell) -> Cell:
    """A NULL that nobody typed (it was there before the rule) is shown until somebody adds to it."""
    if left.value is None and right.value is None and not left.parts and not right.parts:
        return Cell(max(left.stamp, right.stamp), None)
    return _cell(max(left.stamp, right.stamp), join_parts(left.parts, right.parts))


def _write(before: Cell, write: Write) -> Cell:
    new, old = _elements(write.value), _present(before.parts)
    added = {f"+{site_of(write.at)}:{element}": (write.at, "") for element in new - old}
    seen = {key: part for key, part in before.parts.items() if key[0] == "+" and _element(key) in old - new}
    removed = {"-" + key[1:]: part for key, part in seen.items()}
    return _cell(Stamp(0, 0, write.at), {**before.parts, **added, **removed})


def _fold(parts: Parts, _value: bytes | None, base: int) -> Parts:
    touched = Counter(map(_element, parts))
    born = f"+{site_of(base)}:"
    return {
        key: part
        for key, part in parts.items()
        if not (key.startswith(born) and part[0] == base and touched[_element(key)] == 1)
    }


def _unfold(parts: Parts, value: bytes | None, base: int) -> Parts:
    untouched = _elements(value) - set(map(_element, parts))
    return {**parts, **{f"+{site_of(base)}:{element}": (base, "") for element in untouched}}


SET = Rule(_join, _write, _fold, _unfold)

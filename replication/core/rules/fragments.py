"""``append``: concurrent additions to a text are all kept, in one order everywhere.

Parts: under ``+moment`` a fragment, or under ``-moment`` that it was replaced. The value shown is what was not
replaced, in the order of the moments. A write that goes on where the text ended adds a fragment; any other replaces
what it saw.

Folded, a fragment that is shown stands with its length for its text, and the row's first one, alone, is left out.
"""

from replication.core.rules.cells import Cell, Parts, Rule, Write, join_parts
from replication.core.stamps import Stamp


def _shown(parts: Parts) -> list[tuple[int, str]]:
    """What is shown, in order: moment and text."""
    return sorted(part for key, part in parts.items() if key[0] == "+")


def _cell(at: Stamp, parts: Parts) -> Cell:
    """A fragment that was replaced is forgotten: that it was stays known."""
    kept = {key: part for key, part in parts.items() if key[0] == "-" or "-" + key[1:] not in parts}
    shown = _shown(kept)
    return Cell(at, "".join(text for _, text in shown).encode() if shown else None, kept)


def _join(left: Cell, right: Cell) -> Cell:
    return _cell(max(left.stamp, right.stamp), join_parts(left.parts, right.parts))


def _write(before: Cell, write: Write) -> Cell:
    old, new, parts = before.value, write.value, dict(before.parts)
    goes_on = new is not None and old is not None and new.startswith(old)
    if not goes_on:
        parts |= {f"-{moment}": (1, "") for moment, _ in _shown(parts)}
    if new is not None:
        parts[f"+{write.at}"] = (write.at, new[len(old or b"") if goes_on else 0 :].decode())
    return _cell(Stamp(0, 0, write.at), parts)


def _fold(parts: Parts, _value: bytes | None, base: int) -> Parts:
    shown = _shown(parts)
    if len(parts) == len(shown) <= 1 and all(moment == base for moment, _ in shown):
        return {}
    gone = {key: part for key, part in parts.items() if key[0] == "-"}
    return gone | {f"+{moment}": (moment, str(len(text))) for moment, text in shown}


def _unfold(parts: Parts, value: bytes | None, base: int) -> Parts:
    if not parts:
        return {} if value is None else {f"+{base}": (base, value.decode())}
    whole, text, place = dict(parts), (value or b"").decode(), 0
    for moment, length in sorted((part for key, part in parts.items() if key[0] == "+"), key=lambda part: part[0]):
        whole[f"+{moment}"] = (moment, text[place : place + int(length)])
        place += int(length)
    return whole


APPEND = Rule(_join, _write, _fold, _unfold)

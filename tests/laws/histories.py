"""Cells as they come about: a few sites write one cell and hear of each other in any order.

A history is a list of steps over sites 1 to 3. ``("write", site, value)`` writes locally; ``("hear", site, other)``
joins the other's present state. What a site holds is always reachable by the rule's own functions, so the laws are
asked of states that can exist.
"""

from collections.abc import Sequence
from itertools import product
from typing import Any

from hypothesis import strategies as st

from replication.core.rules import CELL_RULES, Cell, Rule, Write
from replication.core.stamps import Stamp, moment

SITES = (1, 2, 3)
BASE = moment(1, 1)
VALUES: dict[str, tuple[bytes | None, ...]] = {
    "counter": (b"0.00", b"5.00", b"-3.00", b"12.50"),
    "set": (b"{}", b"{a}", b"{a,b}", b"{b,c}", b'{a,"b c"}', None),
    "append": (b"", b"a", b"ab", b"abc", b"x", None),
    "greatest": (b"1", b"10", b"9.5", b"-2", None),
    "least": (b"2017-03-01 00:00:00", b"2016-02-29 00:00:00", b"2017-03-02 09:00:00", b"0044-03-15 00:00:00 BC", None),
    "frozen": (None, b"1", b"2"),
}
DEFAULT = (b"a", b"b", None)

Step = tuple[str, int, Any]


def steps(rule: str) -> st.SearchStrategy[list[Step]]:
    """Histories of a cell under a rule."""
    values = sorted({*VALUES.get(rule, DEFAULT), None}, key=repr)
    writes, hearings = product(["write"], SITES, values), product(["hear"], SITES, SITES)
    return st.lists(st.sampled_from([*writes, *hearings]), max_size=9)


def born(rule: Rule, value: bytes | None) -> Cell:
    """The cell as every site has it after the row's insert."""
    return Cell(Stamp(0, 0, BASE), value, rule.unfold({}, value, BASE))


def first_value(rule: str) -> bytes | None:
    """What the row is inserted with."""
    return VALUES.get(rule, DEFAULT)[0]


def play(name: str, history: Sequence[Step], rule: Rule | None = None) -> dict[int, Cell]:
    """What each site holds in the end. An edit to the same value is none, and a set ``frozen`` cell is not written."""
    rule = rule or CELL_RULES[name]
    held = dict.fromkeys(SITES, born(rule, first_value(name)))
    held[3] = born(rule, first_value(name))
    for number, (kind, site, what) in enumerate(history):
        before = held[site]
        if kind == "hear":
            held[site] = rule.join(before, held[what])
        elif what != before.value and not (name == "frozen" and before.value is not None):
            at = moment(max(10 + number, (newest(before) >> 10) + 1), site)
            held[site] = rule.write(before, Write(what, at, authority=site == 1))
    return held


def newest(cell: Cell) -> int:
    """The greatest moment that a cell knows."""
    return max([cell.stamp.moment, *(order for order, _ in cell.parts.values())])

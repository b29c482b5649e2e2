"""Generated rows: partial states as changes are, over few columns, sites and moments, so that they meet often.

And what every law must do: catch a broken twin of what it guards.
"""

from collections.abc import Callable
from typing import Any
from zlib import crc32

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from replication.core.merge import Row, RowRules
from replication.core.rules import CELL_RULES, DELETES, HAS_PARTS, Cell
from replication.core.stamps import Stamp, Stamps, cell_id, moment

COLUMNS = ("name", "phone", "名")

moments = st.builds(moment, st.integers(1, 6), st.integers(1, 3))
stamps_of_cells = st.builds(Stamp, st.integers(0, 2), st.integers(0, 2), moments)


def value_of(stamp: Stamp, column: str) -> bytes | None:
    """One write has one value, wherever it arrives; every seventh is NULL."""
    number = crc32(repr((stamp, column)).encode()) % 7
    return None if number == 0 else b"%d" % number


@st.composite
def cells(draw: st.DrawFn) -> dict[str, Cell]:
    """Any of the columns, each at some stamp."""
    found = draw(st.dictionaries(st.sampled_from(COLUMNS), stamps_of_cells))
    return {name: Cell(stamp, value_of(stamp, name)) for name, stamp in found.items()}


@st.composite
def stamps(draw: st.DrawFn, life: int | None = None) -> Stamps:
    """A row's stamps in the form that :meth:`Stamps.unpack` gives."""
    base = draw(moments)
    found = draw(st.dictionaries(st.sampled_from([cell_id(name) for name in COLUMNS]), stamps_of_cells))
    plain = Stamp(0, 0, base)
    return Stamps(
        base,
        draw(st.integers(0, 10_000)),
        life or draw(st.integers(1, 3)),
        {cell: stamp for cell, stamp in found.items() if stamp != plain},
    )


@st.composite
def rows(draw: st.DrawFn) -> Row:
    """A state, whole or partial, living or deleted."""
    life = draw(st.integers(1, 2))
    deleted = draw(st.just(0) | moments)
    saw = draw(stamps(life)) if deleted else Stamps(0, life=life)
    return Row(
        life,
        draw(st.just(0) | moments),
        deleted,
        Stamps(saw.base, 0, saw.life, saw.cells),
        draw(cells()),
        cascaded=bool(deleted) and draw(st.booleans()),
    )


rules = st.builds(
    RowRules,
    st.dictionaries(st.sampled_from(COLUMNS), st.sampled_from(sorted(CELL_RULES.keys() - HAS_PARTS))),
    st.sampled_from(sorted(DELETES)),
)


def catches(law: Callable[..., None], *generated: st.SearchStrategy[Any]) -> None:
    """The law fails for some generated case. Not shrunk: that it fails is all that is asked."""
    hunt = settings(max_examples=3000, database=None, phases=[Phase.generate], report_multiple_bugs=False)
    with pytest.raises(AssertionError):
        hunt(given(*generated)(law))()

"""A change whose cells are merged at different times is merged whole: sites may lack a column for a while (P14)."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from replication.apply.lacking import change_of, section_of
from replication.apply.sections import changes_of
from replication.core.changes import Author, Change
from replication.core.merge import Row, RowRules, merge
from replication.core.stamps import moment
from replication.wire.message import Section
from tests.laws.states import COLUMNS, catches, cells, rows, rules
from tests.laws.test_merge import state

AUTHOR = Author("b", 2, 0, 9, {})


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """An insert or an update of some columns, with the authority that rules may give."""
    found = draw(cells())
    authority = {name: (cell.stamp.term, cell.stamp.epoch) for name, cell in found.items()}
    values = {name: cell.value for name, cell in found.items()}
    op, at = draw(st.sampled_from("IU")), moment(draw(st.integers(1, 6)), 2)
    return Change(("s", "t"), op, (b"1",), values, at, 0, AUTHOR, authority=authority)


columns = st.sets(st.sampled_from(COLUMNS))


def check_in_parts(local: Row, change: Change, here: set[str], by: RowRules, loses: bool) -> None:
    """Known cells now and the others later, whatever comes in between, or all at once."""
    parts = [change_of(change, here), change_of(change, set() if loses else change.cells.keys() - here)]
    whole = merge(local, change.row(by), by)
    for order in permutations([local, *(part.row(by) for part in parts)]):
        merged = order[0]
        for other in order[1:]:
            merged = merge(merged, other, by)
        assert state(merged) == state(whole)


@given(rows(), changes(), columns, rules)
def test_a_change_may_be_merged_in_parts(local: Row, change: Change, here: set[str], by: RowRules) -> None:
    check_in_parts(local, change, here, by, loses=False)


def test_the_law_catches_a_part_that_is_lost() -> None:
    catches(check_in_parts, rows(), changes(), columns, rules, st.just(True))


def test_a_section_is_divided_as_its_changes_are() -> None:
    section = Section(
        ("s", "t"),
        "U",
        ("id", "name", "phone"),
        1,
        [[b"1", b"2"], [b"a", b"b"], [None, b"9"]],
        [moment(5, 2), moment(6, 2)],
        [0, 0],
        {"epoch:name": [0, 1], "term:phone": [3, 0], "generation:phone": [0, 1], "life": [1, 2]},
        {"parts:phone": [b'[1, {"2": [1, "5"]}]', None], "parts:name": [None, b"[1, {}]"]},
    )
    whole = list(changes_of(section, AUTHOR, range(2)))
    for names in ({"name"}, {"phone"}, set(COLUMNS), set[str]()):
        divided = list(changes_of(section_of(section, names), AUTHOR, range(2)))
        assert divided == [change_of(change, names) for change in whole]

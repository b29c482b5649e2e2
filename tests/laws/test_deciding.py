"""What waits, and what need not."""

from dataclasses import replace

from replication.core.changes import Author, Change
from replication.core.deciding import Decision, decide
from replication.core.merge import Row, RowRules
from replication.core.rules import Cell
from replication.core.stamps import Stamp, Stamps, moment

AUTHOR = Author("b", 2, 0, 9, {})
RULES = RowRules()


def change(op: str, at: int, life: int = 1, saw: int = 0) -> Change:
    cells = {} if op == "D" else {"a": b"%d" % at}
    return Change(("s", "t"), op, (b"1",), cells, moment(at, 2), 0, AUTHOR, life, saw=(moment(saw, 2), 0))


def living(at: int) -> Row:
    return Row(1, moment(at, 2), cells={"a": Cell(Stamp(0, 0, moment(at, 2)), b"%d" % at)})


def deciding(local: Row, *changes: Change, missing: str = "") -> Decision:
    return decide(local, changes, RULES, lambda *_: True, lambda *_: missing)


def reasons(decision: Decision) -> list[str]:
    return [reason for _, reason, _ in decision.waits]


def test_an_update_waits_for_its_insert_and_for_that_of_its_life() -> None:
    assert reasons(deciding(Row(), change("U", 5))) == ["insert"]
    assert reasons(deciding(living(1), change("U", 5, life=2))) == ["insert"]


def test_an_insert_and_its_update_together_need_not_wait() -> None:
    decision = deciding(Row(), change("U", 5), change("I", 1))
    assert reasons(decision) == []
    assert decision.row.cells["a"].value == b"5"


def test_a_row_that_would_live_waits_for_its_parent() -> None:
    assert reasons(deciding(Row(), change("I", 5), missing="no parent")) == ["parent"]


def test_what_is_merged_under_a_tombstone_needs_no_parent() -> None:
    """Else it would wait for ever, and rise when its tombstone is gone and its parent there."""
    buried = Row(1, moment(1, 2), moment(9, 2), Stamps(moment(8, 2)))
    assert reasons(deciding(buried, change("I", 5), missing="no parent")) == []


def test_an_earlier_life_changes_nothing_and_is_on_record() -> None:
    later = Row(2, moment(9, 1), cells={"a": Cell(Stamp(0, 0, moment(9, 1)), b"9")})
    decision = deciding(later, change("I", 5))
    assert decision.row == later
    assert [(found.winner, found.loser) for found in decision.conflicts] == [(moment(9, 1), moment(5, 2))]


def test_what_an_insert_says_replaces_what_an_added_column_was_filled_with() -> None:
    at = moment(5, 2)
    filled = Row(1, at, cells={"a": Cell(Stamp(0, 0, at), b"zzz, the default"), "b": Cell(Stamp(0, 0, at), b"b")})
    decision = deciding(filled, change("I", 5))
    assert {name: cell.value for name, cell in decision.row.cells.items()} == {"a": b"5", "b": b"b"}
    assert decision.conflicts == []


def test_what_was_written_since_stays() -> None:
    written = Cell(Stamp(0, 0, moment(6, 1)), b"6")
    assert deciding(Row(1, moment(5, 2), cells={"a": written}), change("I", 5)).row.cells["a"] == written


def test_two_sites_with_different_values_of_one_write_agree_once_each_has_the_others_row() -> None:
    """A whole row is not the insert's word, so neither takes the other's for it: they would only swap."""
    at = moment(5, 2)
    rows = [Row(1, at, cells={"a": Cell(Stamp(0, 0, at), value)}).hearing(at) for value in (b"4", b"5")]
    sent = [replace(change("I", 5), cells={"a": row.cells["a"].value}, is_whole=True, seen=at) for row in rows]
    assert [deciding(row, other).row.cells["a"].value for row, other in zip(rows, reversed(sent), strict=True)] == [
        b"5",
        b"5",
    ]

"""The packed form of stamps is canonical, and unpacking loses nothing."""

from hypothesis import assume, given
from hypothesis import strategies as st

from replication.core.merge import Row
from replication.core.rules import Cell
from replication.core.stamps import (
    LIFE,
    MOMENT,
    Stamp,
    Stamps,
    cell_id,
    cell_key,
    hlc_of,
    join,
    moment,
    newest,
    site_of,
)
from tests.laws.states import COLUMNS, cells, moments, stamps


@given(stamps())
def test_unpacking_gives_what_was_packed(row: Stamps) -> None:
    packed = row.pack()
    assert Stamps.unpack(packed) == row
    assert Stamps.unpack(packed).pack() == packed


@given(stamps())
def test_the_packed_form_is_sorted_and_says_nothing_twice(row: Stamps) -> None:
    packed = row.pack()
    keys = packed[2::2]
    assert keys == sorted(set(keys))
    assert all(number for number in packed[3::2])
    assert all(LIFE <= key < 1 << 34 for key in keys), "a key is never a moment of our time, nor an epoch"


@given(stamps())
def test_the_newest_moment_is_the_same_packed_and_unpacked(row: Stamps) -> None:
    epochs = [stamp.epoch for stamp in row.cells.values()] + [stamp.term for stamp in row.cells.values()]
    assume(max([0, row.life, *epochs]) < row.newest)
    assert newest(row.pack()) == row.newest


@given(stamps(), stamps(), stamps())
def test_join_is_a_join(left: Stamps, right: Stamps, third: Stamps) -> None:
    def seen(row: Stamps) -> tuple[object, ...]:
        return row.base, row.life, [row.of(cell_id(name)) for name in COLUMNS]

    assert seen(join(left, right)) == seen(join(right, left))
    assert seen(join(join(left, right), third)) == seen(join(left, join(right, third)))
    assert seen(join(left, left)) == seen(left)
    assert all(join(left, right).of(cell_id(name)) >= left.of(cell_id(name)) for name in COLUMNS)


@given(st.integers(0, 2**53 - 1), st.integers(1, 1023))
def test_a_moment_is_a_clock_and_a_site_ordered_by_the_clock(us: int, site: int) -> None:
    at = moment(us, site)
    assert (hlc_of(at), site_of(at)) == (us, site)
    assert at < 1 << 63
    assert moment(us, 1023) < moment(us + 1, 1)


@given(moments, cells())
def test_a_rows_stamps_say_what_its_cells_say(base: int, found: dict[str, Cell]) -> None:
    unpacked = Stamps.unpack(Row(1, base, cells=found).stamps().pack())
    assert {name: unpacked.of(cell_id(name)) for name in found} == {name: cell.stamp for name, cell in found.items()}


@given(st.text(min_size=1, max_size=63), st.text(min_size=1, max_size=63))
def test_columns_have_keys_of_their_own(left: str, right: str) -> None:
    assume(left != right and cell_id(left) != cell_id(right))
    assert not {cell_key(left, kind) for kind in range(3)} & {cell_key(right, kind) for kind in range(3)}
    assert cell_key(left, MOMENT) >> 2 == cell_id(left)


def test_a_stamp_orders_by_term_then_epoch_then_moment() -> None:
    assert Stamp(1, 0, 0) > Stamp(0, 9, 9)
    assert Stamp(0, 1, 0) > Stamp(0, 0, 9)
    assert Stamp(0, 0, 2) > Stamp(0, 0, 1)

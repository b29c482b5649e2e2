"""What capture takes from the decoder's events: fresh cells only, whole transactions, large ones in parts."""

from collections.abc import Iterable

import pytest

from replication.apply.sections import changes_of, unapplied
from replication.capture.deletes import Deletes
from replication.capture.fence import FencedError
from replication.capture.gather import PART_BYTES, ROW_BYTES, Batch, Gatherer
from replication.capture.shapes import Shape, shape_of
from replication.core.changes import Author
from replication.core.merge import RowRules
from replication.core.stamps import GENERATION, Stamp, Stamps, cell_id, moment
from replication.errors import InvariantError
from replication.wire.message import Section
from replication.wire.pglogical import UNCHANGED, Begin, Commit, Insert, Relation, Update, Value

RELATION = Relation(1, "public", "customer", ("id", "name", "phone", "kuroshio"), (0,))
TOMBSTONE = Relation(
    2, "kuroshio", "tombstone", ("nspname", "relname", "key", "life", "deleted", "saw", "referential"), (0, 1, 2)
)
CLAIM = Relation(4, "kuroshio", "claim", ("reader", "origin", "lsn"), (0, 1))
FENCE = Relation(3, "kuroshio", "fence", ("site", "number"), (0,))
BASE, EDIT = moment(1_000, 1), moment(2_000, 1)


def stamps(base: int, seen: int, **cells: int) -> bytes:
    packed = Stamps(base, seen, 1, {cell_id(name): Stamp(0, 0, at) for name, at in cells.items()}).pack()
    return ("{" + ",".join(map(str, packed)) + "}").encode()


def insert(key: str, base: int = BASE) -> Insert:
    return Insert(RELATION, (key.encode(), b"name", None, stamps(base, 0)))


def update(key: str, phone: Value, packed: bytes) -> Update:
    return Update(RELATION, None, (key.encode(), b"name", phone, packed))


def gatherer(part_changes: int = 1000, part_bytes: int = PART_BYTES) -> Gatherer:
    def shape(relation: Relation) -> Shape | None:
        return shape_of(relation, ("id",), ("id", "name", "phone"), {}) if relation is RELATION else None

    deletes = Deletes(lambda schema, name: ("id",) if name == "customer" else None)
    return Gatherer(shape, deletes, part_changes, part_bytes=part_bytes)


def feed(into: Gatherer, changes: Iterable[object], end_lsn: int = 100) -> None:
    into.feed(Begin(end_lsn - 8, 0, 7))
    for change in changes:
        into.feed(change)
    into.feed(Commit(end_lsn - 8, end_lsn, 5))


def sections(batches: Iterable[Batch]) -> list[Section]:
    return [section for batch in batches for section in batch.sections()]


def test_an_insert_travels_with_all_its_columns_and_an_update_with_the_fresh_ones() -> None:
    gather = gatherer()
    feed(gather, [insert("a"), update("a", b"1", stamps(BASE, BASE, phone=EDIT))])
    whole, part = sections(gather.take())
    assert (whole.op, whole.columns, whole.values) == ("I", ("id", "name", "phone"), [[b"a"], [b"name"], [None]])
    assert (part.op, part.columns, part.values) == ("U", ("id", "phone"), [[b"a"], [b"1"]])
    assert (part.moments, part.seen) == ([EDIT], [BASE])


def test_an_update_without_a_fresh_stamp_stays_home() -> None:
    gather = gatherer()
    feed(gather, [update("a", b"1", stamps(BASE, EDIT, phone=EDIT))])
    assert sections(gather.take()) == []


def test_a_fresh_cell_without_a_value_stops_capture() -> None:
    gather = gatherer()
    with pytest.raises(InvariantError, match="phone has a fresh stamp and no value"):
        feed(gather, [update("a", UNCHANGED, stamps(BASE, BASE, phone=EDIT))])


def test_a_row_without_its_stamp_stops_capture() -> None:
    gather = gatherer()
    with pytest.raises(InvariantError, match="without its stamp"):
        feed(gather, [Insert(RELATION, (b"a", b"name", None, None))])


def test_a_tombstone_is_the_delete() -> None:
    gather = gatherer()
    row = (b"public", b"customer", b'{"a b"}', b"2", str(EDIT).encode(), b"{1,0}", b"f")
    feed(gather, [Insert(TOMBSTONE, row)])
    (gone,) = sections(gather.take())
    assert (gone.op, gone.table, gone.values) == ("D", ("public", "customer"), [[b"a b"]])
    assert (gone.moments, gone.extra, gone.blobs) == ([EDIT], {"life": [2], "commit": [92]}, {"saw": [b"{1,0}"]})


def test_the_tombstone_of_a_table_that_is_not_replicated_any_more_stays_home() -> None:
    gather = gatherer()
    feed(gather, [Insert(TOMBSTONE, (b"public", b"gone", b"{a}", b"1", b"9", b"{1,0}", b"f"))])
    assert sections(gather.take()) == []


def test_a_fence_makes_progress_without_a_change() -> None:
    gather = gatherer()
    feed(gather, [Update(FENCE, None, (b"taipei", b"2"))])
    (batch,) = gather.take()
    assert batch.fenced
    assert batch.changes == 0


def test_a_claim_travels_with_the_transactions_around_it() -> None:
    gather = gatherer()
    feed(gather, [insert("a")])
    feed(gather, [Update(CLAIM, None, (b"taipei", b"us", b"0/10")), Insert(CLAIM, (b"taipei", b"kaohsiung", b"1/0"))])
    (batch,) = gather.take()
    assert batch.claims == {"us": 16, "kaohsiung": 1 << 32}
    assert batch.changes == 1


def test_nothing_of_an_open_transaction_is_taken() -> None:
    gather = gatherer()
    feed(gather, [insert("a")])
    gather.feed(Begin(192, 0, 8))
    gather.feed(insert("b"))
    assert gather.take() == []
    gather.feed(Commit(192, 200, 6))
    (batch,) = gather.take()
    assert (batch.changes, batch.transactions, batch.end_lsn) == (2, 2, 200)


@pytest.mark.parametrize("before", [0, 3])
@pytest.mark.parametrize("size", [PART_BYTES // 2, PART_BYTES * 2])
def test_large_rows_are_cut_into_parts_by_their_bytes(before: int, size: int) -> None:
    gather = gatherer()
    for number in range(before):
        feed(gather, [insert(f"before {number}")], end_lsn=10 + number)
    gather.feed(Begin(192, 0, 7))
    for number in range(6):
        gather.feed(insert(f"row {number}"), size)
    gather.feed(Commit(192, 200, 5))
    batches = gather.take()
    parts = [batch for batch in batches if batch.part is not None]
    assert [batch.changes for batch in batches if batch.part is None] == [before][: bool(before)]
    assert [part.changes for part in parts] == ([2, 2, 2, 0] if size < PART_BYTES else [1] * 6 + [0])
    assert [part.part[2] for part in parts if part.part] == [False] * (len(parts) - 1) + [True]


def test_a_row_that_no_message_can_hold_fences_capture_and_is_named() -> None:
    gather = gatherer()
    gather.feed(Begin(192, 0, 7))
    gather.feed(insert("fits"), ROW_BYTES)
    image = Insert(TOMBSTONE, (b"public", b"customer", b"{gone}", b"1", b"9", b"{1,0}", b"f"))
    gather.feed(image, ROW_BYTES + 1)  # which stays home
    with pytest.raises(FencedError, match=r"\(large\) of public\.customer .*RUNBOOK"):
        gather.feed(insert("large"), ROW_BYTES + 1)


@pytest.mark.parametrize("before", [0, 1, 3])
def test_a_large_transaction_is_cut_alike_whatever_came_before_it(before: int) -> None:
    gather = gatherer(part_changes=4)
    for number in range(before):
        feed(gather, [insert(f"before {number}")], end_lsn=10 + number)
    feed(gather, [insert(f"row {number}") for number in range(10)])
    batches = gather.take()
    parts = [batch for batch in batches if batch.part is not None]
    assert [batch.part for batch in parts] == [(7, 0, False), (7, 1, False), (7, 2, True)]
    assert [batch.changes for batch in parts] == [4, 4, 2]
    assert [batch.end_lsn for batch in parts] == [0, 0, 100]
    assert sum(batch.changes for batch in batches if batch.part is None) == before
    assert [value for batch in parts for value in sections([batch])[0].values[0]] == [b"row %d" % n for n in range(10)]


def test_a_life_is_told_for_each_row_that_has_one() -> None:
    gather = gatherer()
    again = Stamps(BASE, 5, 3).pack()
    feed(
        gather,
        [
            insert("a"),
            Insert(RELATION, (b"b", b"n", None, ("{" + ",".join(map(str, again)) + "}").encode())),
            insert("c"),
        ],
    )
    (section,) = sections(gather.take())
    assert section.extra == {"life": [1, 3, 1]}


def test_what_may_have_been_sent_before_bears_its_transactions_lsn_and_what_is_new_does_not() -> None:
    gather = gatherer()
    gather.sent_until = 150
    feed(gather, [insert("a")], 100)
    feed(gather, [insert("b")], 200)
    [section] = sections(gather.take())
    assert section.extra == {"lsn": [92, 0]}
    assert [part.values[0] for part in unapplied([section], 100)] == [[b"b"]]
    assert [part.values[0] for part in unapplied([section], 80)] == [[b"a", b"b"]]
    assert unapplied([section], 80)[0].extra == {}


PARTED = Relation(5, "public", "customer", ("id", "visits", "kuroshio", "kuroshio_parts"), (0,))


def counted(key: str, written_in: int, parts: bytes | None) -> Update:
    cell = Stamp(0, 0, EDIT).in_generation(written_in)
    packed = Stamps(BASE, BASE, 1, {cell_id("visits"): cell}).pack()
    return Update(PARTED, None, (key.encode(), b"5", ("{" + ",".join(map(str, packed)) + "}").encode(), parts))


def test_a_cell_travels_with_the_parts_of_the_generation_in_which_it_was_written() -> None:
    """Whatever rule is in force when its log is read: it was a counter, then it was not, then it was one again."""
    carried, parted = {"visits": (GENERATION,)}, {"visits": (True, False, True)}
    shape = shape_of(PARTED, ("id",), ("id", "visits"), carried, parted)
    gather = Gatherer(lambda _: shape, Deletes(lambda *_: ("id",)), 1000)
    feed(gather, [counted("a", 0, b'{"visits": {"1": [1, "5"]}}'), counted("b", 1, None), counted("c", 2, None)])
    changes = [
        change
        for section in sections(gather.take())
        for change in changes_of(section, Author("taipei", 1, 0, 9, {}), range(len(section.moments)))
    ]
    found = {change.key[0]: (change.row(RULES).cells["visits"].stamp.generation, change.parts) for change in changes}
    assert found == {
        b"a": (0, {"visits": (BASE, {"1": (1, "5")})}),
        b"b": (1, {}),
        b"c": (2, {"visits": (BASE, {})}),
    }


RULES = RowRules({"visits": "counter"}, earlier={"visits": ("counter", "latest")})

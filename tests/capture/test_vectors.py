"""What an author may be said to have seen: never more than it had."""

from replication.capture.gather import Batch
from replication.capture.shapes import Plan
from replication.capture.vectors import Vectors
from replication.core.progress import Position

PLAN = Plan(("public", "t"), "I", ("id",), 1, lambda values: (b"",), ())


def position(lsn: int) -> dict[str, Position]:
    return {"us": Position("aa", lsn, 1, 1)}


def test_a_message_carries_the_newest_sample_that_lies_before_all_of_it() -> None:
    vectors = Vectors()
    vectors.sample(position(1), 100)
    vectors.sample(position(2), 200)
    assert vectors.at(99) == {}
    assert vectors.at(100) == position(1)
    assert vectors.at(199) == position(1)
    assert vectors.at(200) == position(2)


def test_the_lane_that_is_behind_still_finds_its_sample() -> None:
    vectors = Vectors()
    for lsn in (100, 200, 300):
        vectors.sample(position(lsn // 100), lsn)
    vectors.forget(250)
    assert vectors.at(300) == position(3)
    assert vectors.at(250) == position(2)


def test_the_parts_of_a_large_transaction_pass_where_it_ends() -> None:
    vectors = Vectors()
    taken = []
    for number in range(2):
        batch = Batch(end_lsn=900 * number, part=(7, number, number == 1))
        batch.buffer(PLAN).add((b"a",), 50 + number, 0)
        vectors.passed(batch, 100)
        taken.append(vectors.take({}))
    assert taken == [None, ((100, 900), (50, 51), {})]
    assert vectors.take({}) is None

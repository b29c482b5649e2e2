"""Parts of large transactions are kept as long as they may be needed, and no longer."""

import pytest

from replication.postgres import staging
from replication.postgres.connect import Connection
from replication.wire.header import Header, Part
from tests.postgres.servers import Pair

BEFORE, COMMIT = 100, 200
XID = 7


@pytest.fixture
def session(pair: Pair) -> Connection:
    pair.run(pair.alpha, "DELETE FROM kuroshio.staged_part")
    return pair.alpha


def stage(
    session: Connection, number: int, *, log: str = "first", xid: int = XID, behind: int = BEFORE, body: str = ""
) -> None:
    header = Header("beta", log, kind="part", from_lsn=behind, to_lsn=behind, part=Part(xid, number, False))
    staging.stage(session, header, (body or f"{log} {number}").encode())


def test_what_is_left_of_a_transaction_that_was_applied_otherwise_is_dropped(session: Connection) -> None:
    stage(session, 0)
    stage(session, 1, xid=8, behind=COMMIT)
    staging.collect(session, {"beta": COMMIT})
    assert staging.count(session, "beta", XID, 9) == 0
    assert staging.count(session, "beta", 8, 9) == 1, "it lies behind what is applied"


def test_what_is_still_to_come_is_kept_whatever_else_is_applied(session: Connection) -> None:
    stage(session, 0)
    staging.collect(session, {"beta": BEFORE, "gamma": COMMIT})
    staging.collect(session, {})
    assert staging.count(session, "beta", XID, 9) == 1


def test_a_part_of_another_log_takes_the_place_of_the_one_before(session: Connection) -> None:
    for number in (0, 1, 2):
        stage(session, number)
    stage(session, 0, log="second")
    stage(session, 0, log="second")
    assert list(staging.bodies(session, "beta", XID, 2)) == [b"second 0", b"first 1"]
    assert staging.count(session, "beta", XID, 2) == 2, "those before the last one alone"
    staging.drop(session, "beta", XID)
    assert staging.count(session, "beta", XID, 9) == 0


def test_parts_that_are_cut_elsewhere_take_the_place_of_those_before(session: Connection) -> None:
    """The origin was started again under other limits in the middle of the transaction."""
    for number, rows in enumerate(["a", "b", "c", "d"]):
        stage(session, number, body=rows)
    for number, rows in enumerate(["ab", "cd"]):
        stage(session, number, body=rows)
    assert list(staging.bodies(session, "beta", XID, 2)) == [b"ab", b"cd"]

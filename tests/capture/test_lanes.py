"""The two lanes: each whole in itself, the packed one in blocks."""

from itertools import pairwise

from replication.capture.gather import Batch, Buffer
from replication.capture.lanes import LARGE_CHANGES, Lanes, LaneState
from replication.capture.shapes import Plan
from replication.wire.header import Header
from replication.wire.message import Message, decode

PLAN = Plan(("public", "t"), "I", ("id",), 1, lambda values: values, ())  # type: ignore[arg-type, return-value]
SECOND = 1_000_000


class Log:
    """What was published, by lane."""

    def __init__(self, live: int = 0, packed: int = 0) -> None:
        self.messages: dict[str, list[Message]] = {"live": [], "packed": []}
        self.lanes = Lanes(
            LaneState("live", live, live),
            LaneState("packed", packed, packed),
            self.publish,
            self.header,
            lambda _: b"s" * 64,
            0,
        )

    def publish(self, lane: str, body: bytes, _lsn: int) -> None:
        self.messages[lane].append(decode(body, lambda *_: None))

    @staticmethod
    def header(_from_lsn: int) -> Header:
        return Header("taipei", "aa")

    def ranges(self, lane: str) -> list[tuple[int, int]]:
        return [(message.header.from_lsn, message.header.to_lsn) for message in self.messages[lane]]

    def rows(self, lane: str) -> int:
        return sum(len(section.moments) for message in self.messages[lane] for section in message.sections)


def batch(end_lsn: int, changes: int = 1, part: tuple[int, int, bool] | None = None) -> Batch:
    made = Batch(
        changes=changes, transactions=1, end_lsn=end_lsn, xid=1, first_commit_us=1, last_commit_us=2, part=part
    )
    buffer = made.buffers[id(PLAN)] = Buffer(PLAN)
    for number in range(changes):
        buffer.add((b"%d" % number,), number + 1, 0)
    return made


def test_each_lane_follows_on_itself_without_a_gap() -> None:
    log = Log()
    for end_lsn, changes in ((10, 1), (20, 1), (30, LARGE_CHANGES), (40, 1)):
        log.lanes.put(batch(end_lsn, changes), end_lsn)
    log.lanes.flush_packed(50)
    assert log.ranges("live") == [(0, 10), (10, 20), (20, 30), (30, 40)]
    assert log.ranges("packed") == [(0, 20), (20, 30), (30, 40)]
    for lane in ("live", "packed"):
        assert all(before[1] == after[0] for before, after in pairwise(log.ranges(lane)))
        assert log.rows(lane) == LARGE_CHANGES + 3


def test_what_a_lane_has_is_not_put_there_again() -> None:
    log = Log(live=20, packed=10)
    log.lanes.put(batch(10), 1)
    log.lanes.put(batch(20), 1)
    log.lanes.put(batch(30), 1)
    log.lanes.flush_packed(2)
    assert log.ranges("live") == [(20, 30)]
    assert log.ranges("packed") == [(10, 30)]


def test_a_part_moves_no_position_until_the_last_one_does() -> None:
    log = Log(live=5, packed=5)
    log.lanes.put(batch(0, part=(9, 0, False)), 1)
    log.lanes.put(batch(40, part=(9, 1, True)), 1)
    for lane in ("live", "packed"):
        assert log.ranges(lane) == [(5, 5), (5, 40)]


def test_a_part_that_is_sent_again_does_not_take_a_lane_to_where_the_other_is() -> None:
    """A session that reads a large transaction again sends its parts, but for the last one, which both lanes have."""
    log = Log(live=50, packed=45)
    log.lanes.put(batch(0, part=(9, 0, False)), 1)
    log.lanes.put(batch(40, part=(9, 1, True)), 1)
    log.lanes.put(batch(60), 1)
    log.lanes.flush_packed(2)
    assert log.ranges("live") == [(45, 45), (50, 60)]
    assert log.ranges("packed") == [(45, 45), (45, 60)], "what it has not had follows on what it has"


def test_a_change_is_counted_once() -> None:
    log = Log()
    log.lanes.put(batch(10, 3), 1)
    log.lanes.put(batch(20, LARGE_CHANGES), 1)
    assert log.messages["live"][-1].header.changes_total == LARGE_CHANGES + 3


def test_a_heartbeat_never_steps_back() -> None:
    log = Log(live=50)
    log.lanes.heartbeat(log.lanes.live, 40, 1)
    assert log.ranges("live") == [(50, 50)]

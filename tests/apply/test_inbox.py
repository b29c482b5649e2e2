"""What waits for the writer is bounded by what it takes in memory."""

import queue

import pytest

from replication.apply.incoming import INBOX_BYTES, Inbox, Incoming
from replication.wire.header import Header
from replication.wire.message import Section


def message(rows: int) -> Incoming:
    section = Section(("public", "t"), "I", ("id",), 1, [[b"x"] * rows], [1] * rows, [0] * rows)
    return Incoming(Header("us", "beef"), [section], b"", "stream", 0, 0, lambda: None, lambda _: None, 1)


def taken(inbox: Inbox, rows: int) -> int:
    """How many messages of so many rows fit."""
    for count in range(100):
        try:
            inbox.put_nowait(message(rows))
        except queue.Full:
            return count
    raise AssertionError("it has no bound")


def test_sixteen_small_messages_wait_and_one_large_one() -> None:
    assert taken(Inbox(), 1) == 16
    assert taken(Inbox(), INBOX_BYTES // 64) == 1


def test_what_is_taken_makes_room() -> None:
    inbox = Inbox()
    for _ in range(3):
        inbox.put_nowait(message(INBOX_BYTES // 64))
        assert inbox.get_nowait().changes
    assert inbox.empty()
    with pytest.raises(queue.Empty):
        inbox.get_nowait()

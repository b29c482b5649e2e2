import pytest

from replication.broker.log import first_message, last_message
from replication.errors import BrokerUnavailable, StreamMissing
from tests.broker.owner import MEGABYTE, Owner
from tests.broker.private_broker import PrivateBroker, wait_for


def test_an_empty_stream_has_no_last_message(broker: PrivateBroker, owner: Owner, stream: str) -> None:
    owner.declare(stream)

    assert last_message(broker.url(), stream) is None


def test_the_first_message_is_the_oldest_that_is_still_there(broker: PrivateBroker, owner: Owner, stream: str) -> None:
    owner.declare(stream, max_bytes=MEGABYTE)
    assert first_message(broker.url(), stream) is None
    owner.append(stream, b"oldest", b"next")
    assert first_message(broker.url(), stream) == b"oldest"
    for number in range(12):
        owner.append(stream, *[b"%02d" % number + b"x" * 40_000] * 7)
    kept = first_message(broker.url(), stream)
    assert kept is not None
    assert b"00" < kept[:2] < b"12", "old segments were dropped"


def test_a_stream_that_is_not_there_is_missing(broker: PrivateBroker, stream: str) -> None:
    with pytest.raises(StreamMissing):
        last_message(broker.url(), stream)


def test_a_broker_that_does_not_answer_is_unavailable(stream: str) -> None:
    with pytest.raises(BrokerUnavailable):
        last_message("amqp://guest:guest@127.0.0.1:1/%2F", stream, timeout_seconds=2)


@pytest.mark.parametrize("count", [1, 2, 199, 200, 201, 400, 3000])
def test_the_last_of_many_messages_in_few_chunks_is_found(
    broker: PrivateBroker, owner: Owner, stream: str, count: int
) -> None:
    owner.declare(stream)
    owner.append(stream, *[str(number).encode() for number in range(count)])

    assert last_message(broker.url(), stream) == str(count - 1).encode()


def test_the_last_message_is_found_after_each_of_many_chunks_of_one(
    broker: PrivateBroker, owner: Owner, stream: str
) -> None:
    owner.declare(stream)
    for number in range(20):
        owner.append(stream, str(number).encode())
        assert last_message(broker.url(), stream) == str(number).encode()


def test_the_last_message_is_found_while_segments_roll_and_old_ones_are_dropped(
    broker: PrivateBroker, owner: Owner, stream: str
) -> None:
    owner.declare(stream, max_bytes=MEGABYTE)
    for number in range(12):
        owner.append(stream, *[b"%d " % number + b"x" * 40_000] * 7, b"%d" % number)
        assert last_message(broker.url(), stream) == b"%d" % number


def test_a_starting_broker_is_unavailable_and_never_takes_a_stream_for_missing_or_empty(
    broker: PrivateBroker, owner: Owner, stream: str
) -> None:
    owner.declare(stream)
    owner.append(stream, *[str(number).encode() for number in range(1000)])
    found: list[bytes | None] = []

    def answered() -> bool:
        try:
            found.append(last_message(broker.url(), stream, timeout_seconds=5))
        except StreamMissing:
            raise
        except BrokerUnavailable:
            return False
        return True

    broker.kill()
    broker.start(wait=False)
    wait_for(answered, "the stream's last message")

    assert found == [b"999"]

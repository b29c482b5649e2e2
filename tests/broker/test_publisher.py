import time

import pytest

from replication.broker.log import last_message
from replication.broker.session import Session
from replication.errors import BrokerUnavailable, StreamMissing
from tests.broker.owner import MEGABYTE, Owner
from tests.broker.private_broker import PrivateBroker, await_stream


def test_every_message_is_confirmed_and_the_last_token_is_reported(owner: Owner, stream: str) -> None:
    owner.declare(stream)

    owner.append(stream, *[b"x" * 100] * 500)

    tokens = [token for _, token in owner.confirmed]
    assert tokens[-1] == 500
    assert tokens == sorted(tokens)
    assert owner.lost == []


def test_two_streams_are_confirmed_each_on_its_own(owner: Owner, stream: str) -> None:
    other = stream.replace(".live", ".packed")
    owner.declare(stream)
    owner.declare(other)

    for token in range(1, 101):
        owner.publisher.publish(stream, b"live", token)
        owner.publisher.publish(other, b"packed", token * 10)
    owner.until(lambda: owner.publisher.unconfirmed_bytes == 0, "both to be confirmed")

    assert dict(owner.confirmed) == {stream: 100, other: 1000}


def test_a_message_to_a_missing_stream_is_never_confirmed(owner: Owner, stream: str) -> None:
    owner.declare(stream)
    owner.publisher.publish(stream + ".nowhere", b"x", 7)

    owner.until(lambda: bool(owner.lost), "the loss to be reported")

    assert owner.confirmed == []
    assert f"{stream}.nowhere does not exist" in owner.lost[0]
    assert owner.publisher.unconfirmed_bytes == 0


def test_publishing_while_there_is_no_connection_is_refused(owner: Owner, stream: str) -> None:
    owner.publisher.close()

    with pytest.raises(BrokerUnavailable):
        owner.publisher.publish(stream, b"x", 1)


def test_a_killed_broker_is_reported_once_and_what_was_confirmed_is_there_again(
    broker: PrivateBroker, owner: Owner, stream: str
) -> None:
    owner.declare(stream)
    owner.append(stream, b"kept")
    owner.publisher.publish(stream, b"x" * MEGABYTE, 2)

    broker.kill()
    owner.until(lambda: bool(owner.lost), "the loss to be reported")
    broker.start()
    await_stream(broker, stream)
    owner.connect()
    owner.append(stream, b"once more")

    assert len(owner.lost) == 1
    assert last_message(broker.url(), stream) == b"once more"


def test_what_is_published_while_a_broker_starts_is_confirmed_or_the_connection_is_lost(
    broker: PrivateBroker, owner: Owner, stream: str
) -> None:
    owner.declare(stream)
    broker.kill()
    owner.until(lambda: bool(owner.lost), "the loss to be reported")
    broker.start(wait=False)
    began = time.monotonic()

    while not owner.confirmed:
        assert time.monotonic() - began < 120, "nothing was confirmed in two minutes"
        owner.lost.clear()
        owner.publisher.connect()
        owner.until(lambda: owner.publisher.is_open or bool(owner.lost), "open or lost")
        if owner.publisher.is_open:
            owner.publisher.publish(stream, b"early", 1)
        owner.until(lambda: bool(owner.confirmed or owner.lost), "confirmed or lost", 70)

    await_stream(broker, stream)
    assert last_message(broker.url(), stream) == b"early"


def test_a_confirm_that_stays_away_is_a_loss(broker: PrivateBroker, stream: str) -> None:
    owner = Owner(broker.url(), stall_seconds=0.3)
    owner.connect()
    owner.declare(stream)

    with broker.frozen():
        owner.publisher.publish(stream, b"x", 1)
        owner.until(lambda: bool(owner.lost), "the loss to be reported")

    owner.end()
    assert "unconfirmed" in owner.lost[0]


def test_a_broker_that_is_not_there_is_a_loss_and_the_next_attempt_succeeds(
    broker: PrivateBroker,
) -> None:
    nowhere = Owner(broker.url().replace(f":{broker.port}/", ":1/"))

    nowhere.publisher.connect()
    nowhere.until(lambda: bool(nowhere.lost), "the refusal")

    nowhere.publisher.connect()
    nowhere.until(lambda: len(nowhere.lost) == 2, "the second refusal")
    nowhere.end()


def test_a_wrong_password_is_a_loss(broker: PrivateBroker) -> None:
    stranger = Owner(broker.url("stranger"))

    stranger.publisher.connect()
    stranger.until(lambda: bool(stranger.lost), "the refusal")

    stranger.end()


def test_a_stream_keeps_its_retention_when_the_configuration_changes(owner: Owner, stream: str) -> None:
    owner.declare(stream, max_bytes=64 * MEGABYTE)
    owner.declare(stream, max_bytes=128 * MEGABYTE, max_age_days=3)

    owner.append(stream, b"x")

    assert owner.lost == []


def test_a_queue_that_is_no_stream_is_not_taken_for_one(broker: PrivateBroker, owner: Owner, stream: str) -> None:
    _declare_classic(broker, stream)

    owner.publisher.declare(stream, max_bytes=MEGABYTE, max_age_days=1, done=pytest.fail)
    owner.until(lambda: bool(owner.lost), "the refusal")

    assert "inequivalent arg" in owner.lost[0]


def test_a_deleted_stream_is_gone_and_deleting_again_is_no_fault(
    broker: PrivateBroker, owner: Owner, stream: str
) -> None:
    owner.declare(stream)
    assert last_message(broker.url(), stream) is None

    owner.delete(stream)
    owner.delete(stream)

    with pytest.raises(StreamMissing):
        last_message(broker.url(), stream)


def test_a_memory_alarm_shows_as_blocked_until_it_ends(broker: PrivateBroker, owner: Owner, stream: str) -> None:
    owner.declare(stream)
    try:
        broker.control("set_vm_memory_high_watermark", "0.000001")
        owner.publisher.publish(stream, b"x", 1)
        owner.until(lambda: owner.publisher.blocked, "the alarm")
        assert owner.confirmed == []
    finally:
        broker.control("set_vm_memory_high_watermark", "0.4")

    owner.until(lambda: owner.confirmed == [(stream, 1)], "the confirm")
    assert not owner.publisher.blocked


def test_small_messages_flow_without_waiting_for_each_confirm(owner: Owner, stream: str) -> None:
    owner.declare(stream)
    count = 20_000
    began = time.monotonic()

    owner.append(stream, *[b"x" * 170] * count)

    rate = count / (time.monotonic() - began)
    print(f"{rate:,.0f} confirmed publishes a second")
    assert rate > 2_000  # one at a time, a BlockingConnection reached about 2,100


def _declare_classic(broker: PrivateBroker, name: str) -> None:
    with Session(broker.url(), timeout_seconds=10) as session:
        session.call(
            lambda done: session.channel.queue_declare(name, durable=True, callback=done),
            "to declare",
        )

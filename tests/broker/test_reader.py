import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime

import pytest

from replication.broker.reader import Delivery, StreamReader, prefetch_for
from replication.broker.session import Offset
from replication.errors import BrokerUnavailable, StreamMissing
from tests.broker.owner import Owner
from tests.broker.private_broker import PrivateBroker, await_stream, wait_for


def read(broker: PrivateBroker, stream: str, offset: Offset, prefetch: int = 100) -> StreamReader:
    return StreamReader(broker.url(), stream, offset, prefetch=prefetch, timeout_seconds=10)


def take(reader: StreamReader, count: int) -> list[Delivery]:
    """The next `count` deliveries, each acknowledged."""
    taken: list[Delivery] = []
    for delivery in reader.deliveries(idle_seconds=10):
        assert delivery is not None, f"only {len(taken)} of {count} came"
        reader.ack(delivery)
        taken.append(delivery)
        if len(taken) == count:
            break
    return taken


def bodies(count: int) -> list[bytes]:
    return [str(number).encode() for number in range(count)]


def append_in_chunks_of_one(owner: Owner, stream: str, count: int) -> None:
    for body in bodies(count):
        owner.append(stream, body)


def test_a_reader_from_the_first_message_gets_all_in_order(broker: PrivateBroker, owner: Owner, stream: str) -> None:
    owner.declare(stream)
    owner.append(stream, *bodies(1000))

    with read(broker, stream, "first") as reader:
        taken = take(reader, 1000)

    assert [delivery.body for delivery in taken] == bodies(1000)
    assert [delivery.offset for delivery in taken] == list(range(1000))


def test_a_reader_from_an_offset_begins_there(broker: PrivateBroker, owner: Owner, stream: str) -> None:
    owner.declare(stream)
    owner.append(stream, *bodies(300))

    with read(broker, stream, 250) as reader:
        assert take(reader, 1)[0].offset == 250


def test_a_reader_from_a_time_gets_what_came_since(broker: PrivateBroker, owner: Owner, stream: str) -> None:
    owner.declare(stream)
    owner.append(stream, b"old")
    second = int(time.time()) + 2
    wait_for(lambda: time.time() > second, "the clock's next second")
    owner.append(stream, b"new")

    with read(broker, stream, datetime.fromtimestamp(second, UTC)) as reader:
        assert take(reader, 1)[0].body == b"new"


def test_a_reader_from_next_gets_only_what_comes_after_it_attached(
    broker: PrivateBroker, owner: Owner, stream: str
) -> None:
    owner.declare(stream)
    owner.append(stream, b"before")

    with read(broker, stream, "next") as reader:
        owner.append(stream, b"after")
        assert take(reader, 1)[0].body == b"after"


def test_an_idle_reader_says_so_and_costs_next_to_no_processor_time(
    broker: PrivateBroker, owner: Owner, stream: str
) -> None:
    owner.declare(stream)

    with read(broker, stream, "first") as reader:
        used = time.process_time()
        assert next(reader.deliveries(idle_seconds=1)) is None
        assert time.process_time() - used < 0.02


def test_a_message_wakes_the_reader_at_once(broker: PrivateBroker, owner: Owner, stream: str) -> None:
    owner.declare(stream)
    waits: list[float] = []

    with read(broker, stream, "first") as reader, Reading(reader) as reading:
        for number in range(100):
            began = time.perf_counter()
            owner.publisher.publish(stream, b"x" * 170, number + 1)
            owner.until(lambda: owner.publisher.unconfirmed_bytes == 0, "the confirm")
            reading.await_count(number + 1)
            waits.append(reading.times[number] - began)

    p50, p99 = sorted(waits)[50], sorted(waits)[98]
    print(f"publish to read: p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms")
    assert p50 < 0.03


def test_no_more_chunks_than_the_prefetch_are_sent_before_an_acknowledgement(
    broker: PrivateBroker, owner: Owner, stream: str
) -> None:
    owner.declare(stream)
    append_in_chunks_of_one(owner, stream, 40)

    with read(broker, stream, "first", prefetch=10) as reader:
        held = list(_until_idle(reader))
        assert len(held) == 10
        reader.ack(held[-1])
        assert len(list(_until_idle(reader))) == 10


def test_acknowledging_from_another_thread_makes_room(broker: PrivateBroker, owner: Owner, stream: str) -> None:
    owner.declare(stream)
    append_in_chunks_of_one(owner, stream, 20)

    with read(broker, stream, "first", prefetch=10) as reader:
        held = list(_until_idle(reader))
        writer = threading.Thread(target=reader.ack_threadsafe, args=(held[-1],))
        writer.start()
        assert take(reader, 10)[-1].body == b"19"
        writer.join()

    reader.ack_threadsafe(held[-1])  # too late, and harmless


def test_a_reader_that_leaves_early_disturbs_nobody(broker: PrivateBroker, owner: Owner, stream: str) -> None:
    owner.declare(stream)
    owner.append(stream, *bodies(1000))

    before = broker.complaints()
    for _ in range(3):
        with read(broker, stream, "first") as reader:
            assert take(reader, 1)[0].body == b"0"

    assert broker.complaints() == before


def test_a_reader_leaves_a_silent_broker_in_bounded_time(broker: PrivateBroker, owner: Owner, stream: str) -> None:
    owner.declare(stream)
    with ExitStack() as stack:
        reader = stack.enter_context(read(broker, stream, "first"))
        stack.enter_context(broker.frozen())
        began = time.monotonic()
        reader.__exit__()
        assert time.monotonic() - began < 5


def test_a_stream_that_is_not_there_is_missing(broker: PrivateBroker, stream: str) -> None:
    with pytest.raises(StreamMissing), read(broker, stream, "first"):
        pass


def test_a_stream_that_is_deleted_while_it_is_read_is_missing(broker: PrivateBroker, owner: Owner, stream: str) -> None:
    owner.declare(stream)
    owner.append(stream, b"only")

    with read(broker, stream, "first") as reader:
        take(reader, 1)
        owner.delete(stream)
        with pytest.raises(StreamMissing):
            next(reader.deliveries(idle_seconds=10))


def test_a_broker_that_dies_is_unavailable_and_its_messages_are_read_again_after_it(
    broker: PrivateBroker, owner: Owner, stream: str
) -> None:
    owner.declare(stream)
    owner.append(stream, *bodies(50))

    with read(broker, stream, "first") as reader:
        take(reader, 1)
        broker.kill()
        with pytest.raises(BrokerUnavailable):
            for _ in reader.deliveries(idle_seconds=10):
                pass
    broker.start()
    await_stream(broker, stream)

    with read(broker, stream, 10) as reader:
        assert [delivery.body for delivery in take(reader, 40)] == bodies(50)[10:]


def test_a_peer_may_read_and_nothing_else(broker: PrivateBroker, owner: Owner, stream: str) -> None:
    broker.control("add_user", "onlooker", "onlooker")
    broker.control("set_permissions", "onlooker", "", "", r"^kuroshio\.")
    owner.declare(stream)
    owner.append(stream, b"only")
    url = broker.url("onlooker")

    with StreamReader(url, stream, "first", prefetch=2, timeout_seconds=10) as reader:
        assert take(reader, 1)[0].body == b"only"

    intruder = Owner(url)
    intruder.connect()
    intruder.publisher.publish(stream, b"forged", 1)
    intruder.until(lambda: bool(intruder.lost), "the refusal")
    intruder.end()
    assert intruder.confirmed == []


def test_a_line_that_is_cut_ends_the_wait_for_a_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"amqp://guest:guest@127.0.0.1:{silent.getsockname()[1]}/%2F"
        began = time.monotonic()
        with (
            pytest.raises(BrokerUnavailable),
            StreamReader(url, "kuroshio.x.y.live", "first", prefetch=2, timeout_seconds=1),
        ):
            pass
        assert time.monotonic() - began < 5


def test_the_prefetch_is_bounded_in_bytes_and_never_starves_the_line() -> None:
    assert prefetch_for(0) == 1000
    assert prefetch_for(40_000) == 26
    assert prefetch_for(100_000_000) == 2
    assert prefetch_for(1000, window_bytes=50_000) == 50


class Reading:
    """A reader in a thread of its own, as apply runs it."""

    def __init__(self, reader: StreamReader) -> None:
        self.times: list[float] = []
        self._reader = reader
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Reading":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def await_count(self, count: int) -> None:
        wait_for(lambda: len(self.times) >= count, f"message {count}")

    def _run(self) -> None:
        with suppress(BrokerUnavailable):
            for delivery in self._reader.deliveries(idle_seconds=0.2):
                if self._stop.is_set():
                    return
                if delivery is not None:
                    self.times.append(time.perf_counter())
                    self._reader.ack(delivery)


def _until_idle(reader: StreamReader) -> Iterator[Delivery]:
    for delivery in reader.deliveries(idle_seconds=0.5):
        if delivery is None:
            return
        yield delivery

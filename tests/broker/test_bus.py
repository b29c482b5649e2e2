"""Asking and answering over a real broker: each gets its own answer, silence is bounded."""

import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count

import pika
import pytest
from pika import BasicProperties

from replication.broker.bus import Line, serve
from replication.broker.names import control_name, directory_name
from replication.errors import BrokerUnavailable
from tests.broker.private_broker import PrivateBroker, wait_for

_numbers = count(1)
PEER = "peer"


@pytest.fixture
def site() -> str:
    return f"site{next(_numbers)}"


def echo(data: bytes) -> bytes:
    return b"said " + data


@contextmanager
def answering(url: str, site: str, answer: Callable[[bytes], bytes | None] = echo) -> Iterator[threading.Event]:
    """Serves as the daemon does, again after each fault; the event says that it was interrupted."""
    over, interrupted = threading.Event(), threading.Event()

    def run() -> None:
        while not over.is_set():
            try:
                serve(url, site, answer, lambda: not over.is_set())
            except BrokerUnavailable:
                interrupted.set()
                over.wait(0.1)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield interrupted
    finally:
        over.set()
        thread.join(30)
        assert not thread.is_alive()


@contextmanager
def line_to(url: str, site: str) -> Iterator[Line]:
    line = Line(lambda: url, site)
    try:
        yield line
    finally:
        line.close()


def ask(line: Line, data: bytes, seconds: float = 10) -> bytes:
    return line.ask(data, lambda answer: answer, seconds)


def await_service(url: str, site: str) -> None:
    """Until the exchange is there, and answers."""

    def is_there() -> bool:
        with line_to(url, site) as line:
            try:
                return ask(line, b"?", 1) == b"said ?"
            except BrokerUnavailable:
                return False

    wait_for(is_there, f"{site} to answer")


def test_many_ask_at_once_and_each_gets_its_own_answer(broker: PrivateBroker, site: str) -> None:
    def ask_many(who: int) -> bool:
        with line_to(broker.url(), site) as line:
            return all(ask(line, b"%d:%d" % (who, n)) == b"said %d:%d" % (who, n) for n in range(50))

    with answering(broker.url(), site):
        await_service(broker.url(), site)
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(ask_many, range(4)))


def test_a_late_answer_is_not_taken_for_the_next_one(broker: PrivateBroker, site: str) -> None:
    def slowly(data: bytes) -> bytes:
        time.sleep(1.5 if data == b"slow" else 0)
        return echo(data)

    with answering(broker.url(), site, slowly), line_to(broker.url(), site) as line:
        await_service(broker.url(), site)
        with pytest.raises(BrokerUnavailable, match="did not answer"):
            ask(line, b"slow", 0.5)
        assert line.ask(b"next", lambda answer: answer if answer == b"said next" else None, 10) == b"said next"


def test_who_may_write_to_the_exchange_alone_is_answered(broker: PrivateBroker, site: str) -> None:
    user = f"{PEER}{site}"
    broker.control("add_user", user, user)
    broker.control("set_permissions", user, "^$", f"^{control_name(site)}$", "^$")
    with answering(broker.url(), site), line_to(broker.url(user), site) as line:
        await_service(broker.url(), site)
        assert ask(line, b"may I") == b"said may I"


def test_an_answer_is_not_written_where_a_letter_says_into_the_log_of_who_answers(
    broker: PrivateBroker, site: str
) -> None:
    """Who answers may write everywhere, and who asks may not."""
    log = directory_name(site)
    with answering(broker.url(), site), pika.BlockingConnection(pika.URLParameters(broker.url())) as hostile:
        await_service(broker.url(), site)
        channel = hostile.channel()
        channel.queue_declare(log)
        channel.basic_publish(control_name(site), site, b"forged", BasicProperties(reply_to=log))
        with line_to(broker.url(), site) as line:
            assert ask(line, b"next") == b"said next"
        assert channel.basic_get(log) == (None, None, None)


def test_a_body_that_is_to_be_unpacked_is_not_and_the_next_letter_is_answered(broker: PrivateBroker, site: str) -> None:
    """kombu would, before anybody has seen a signature."""
    seen = list[bytes]()

    def note(data: bytes) -> bytes:
        seen.append(data)
        return echo(data)

    with answering(broker.url(), site, note), pika.BlockingConnection(pika.URLParameters(broker.url())) as hostile:
        await_service(broker.url(), site)
        channel = hostile.channel()
        bomb = zlib.compress(bytes(64 << 20))
        for properties in (
            BasicProperties(headers={"compression": "application/x-gzip"}),
            BasicProperties(headers={"compression": "no such thing"}),
            BasicProperties(content_encoding="utf-8", content_type="application/x-python-serialize"),
            BasicProperties(),
        ):
            channel.basic_publish(control_name(site), site, bomb, properties)
        with line_to(broker.url(), site) as line:
            assert ask(line, b"next") == b"said next"
    assert max(map(len, seen)) <= len(bomb)


def test_a_broker_that_says_nothing_more_is_given_up_in_time_and_found_again(broker: PrivateBroker, site: str) -> None:
    with answering(broker.url(), site), line_to(broker.url(), site) as line:
        await_service(broker.url(), site)
        assert ask(line, b"a") == b"said a"
        with broker.frozen():
            began = time.monotonic()
            with pytest.raises(BrokerUnavailable, match="did not answer"):
                ask(line, b"b", 1)
            assert time.monotonic() - began < 5
        assert ask(line, b"c") == b"said c"


def test_a_broker_that_was_killed_is_told_and_served_again_when_it_is_back(broker: PrivateBroker, site: str) -> None:
    with answering(broker.url(), site) as interrupted, line_to(broker.url(), site) as line:
        await_service(broker.url(), site)
        assert ask(line, b"a") == b"said a"
        broker.kill()
        with pytest.raises(BrokerUnavailable):
            ask(line, b"b", 2)
        assert interrupted.wait(20), "who answers has noticed"
        broker.start()
        await_service(broker.url(), site)
        assert ask(line, b"c") == b"said c"

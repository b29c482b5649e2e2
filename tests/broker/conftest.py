"""Fixtures: one private RabbitMQ a run, a fresh stream and a publisher on a loop a test."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker.owner import Owner
from tests.broker.private_broker import PrivateBroker, wait_for
from tests.stack.stack import private_ports

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def private_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateBroker]:
    folder: Path = tmp_path_factory.mktemp("rabbitmq") / "broker"
    with private_ports() as base_port:
        broker = PrivateBroker(folder, base_port)
        try:
            broker.start()
            _settle(broker)
            yield broker
        finally:
            broker.end()


@pytest.fixture
def broker(private_broker: PrivateBroker) -> PrivateBroker:
    private_broker.ensure()
    return private_broker


@pytest.fixture
def stream() -> str:
    """A stream's name that no other test uses."""
    return f"kuroshio.test.{next(_numbers)}.live"


@pytest.fixture
def owner(broker: PrivateBroker) -> Iterator[Owner]:
    """A connected publisher."""
    owner = Owner(broker.url())
    try:
        owner.connect()
        yield owner
    finally:
        owner.end()


def _settle(broker: PrivateBroker) -> None:
    """Make a first stream, and wait until its coordinator's name is on disk.

    RabbitMQ 3.10 writes that name about a second after the first stream of a fresh broker is
    declared. Killed before, it shows the stream as "down" for ever; later streams are safe.
    """
    owner = Owner(broker.url())
    try:
        owner.connect()
        owner.declare("kuroshio.test.first.live")
    finally:
        owner.end()
    wait_for(broker.knows_its_stream_coordinator, "the stream coordinator's name to be on disk")

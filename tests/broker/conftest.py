"""Fixtures: one private RabbitMQ a run, a fresh stream and a publisher on a loop a test."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker.owner import Owner
from tests.broker.private_broker import PrivateBroker

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateBroker]:
    folder: Path = tmp_path_factory.mktemp("rabbitmq") / "broker"
    broker = PrivateBroker(folder)
    try:
        broker.start()
        yield broker
    finally:
        broker.end()


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

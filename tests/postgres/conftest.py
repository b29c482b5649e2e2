"""Fixtures: two clusters a run; `pair` is a database at each site that the tests of a module share, with a schema of
its own for each test; `fresh` is one for each test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from sitecfg import Config
from tests.postgres.servers import Pair, Servers, private_servers


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with private_servers(tmp_path_factory.mktemp("servers")) as running:
        yield running


@pytest.fixture(scope="module")
def shared(servers: Servers) -> Config:
    return servers.database()


@pytest.fixture
def pair(shared: Config) -> Iterator[Pair]:
    with ExitStack() as stack:
        yield Pair(shared, stack)


@pytest.fixture
def fresh(servers: Servers) -> Iterator[Callable[..., Pair]]:
    """Takes what `Servers.database` takes."""
    with ExitStack() as stack:
        yield lambda **wanted: Pair(servers.database(**wanted), stack)

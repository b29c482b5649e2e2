"""Four running sites with a table for each delete rule, shared by all scenarios."""

from collections.abc import Iterator

import pytest

from tests.stack.proof.sites import Sites, running_sites
from tests.stack.scenarios.table import create, rules

FOUR = ("taipei", "kaohsiung", "shanghai", "us")


@pytest.fixture(scope="package")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    with running_sites(tmp_path_factory.mktemp("scenarios"), FOUR, rules(), create()) as sites:
        yield sites

"""Four running sites with a table for each delete rule, shared by all scenarios."""

from collections.abc import Iterator

import pytest

from tests.stack.proof.sites import Sites
from tests.stack.scenarios.table import TABLES, WITNESS, create, rules
from tests.stack.stack import running_stack

FOUR = ("taipei", "kaohsiung", "shanghai", "us")


@pytest.fixture(scope="package")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    folder = tmp_path_factory.mktemp("scenarios")
    with running_stack(folder, sites=FOUR, rules=rules(), infrastructure_only=True) as stack:
        found = Sites(stack)
        found.everywhere(create())
        done = found.replication("init")
        assert done.returncode == 0, done.stderr
        found.add_tables(*TABLES, WITNESS)
        stack.up()
        yield found
        found.close()

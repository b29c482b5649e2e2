"""Three running sites that the tests of this folder share: each module says which tables it has, under which rules."""

from collections.abc import Iterator

import pytest

from tests.stack.proof.sites import Sites, running_sites
from tests.stack.rules import test_more_rules, test_rules, test_schemas_that_differ, test_unique_and_parents

MODULES = (test_more_rules, test_rules, test_schemas_that_differ, test_unique_and_parents)


@pytest.fixture(scope="package")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    rules = "".join(module.RULES for module in MODULES)
    create = ";".join(module.CREATE for module in MODULES)
    with running_sites(tmp_path_factory.mktemp("rules"), ("taipei", "us", "kaohsiung"), rules, create) as sites:
        yield sites

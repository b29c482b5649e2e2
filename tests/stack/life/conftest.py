"""Three sites of which two work: the third is declared, its servers run, and nobody has put it under replication."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.stack.life.growing import ADDED, LIMITS, OLD, add, daemons
from tests.stack.proof.load import TABLE, columns
from tests.stack.proof.sites import Sites, until
from tests.stack.stack import running_stack

KNOWN = (
    "SELECT EXISTS (SELECT FROM kuroshio.reading WHERE origin = %s)"
    " AND EXISTS (SELECT FROM kuroshio.capture WHERE %s = ANY (peers))"
)


@pytest.fixture(scope="package")
def two_sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    folder = tmp_path_factory.mktemp("life")
    with (
        running_stack(folder, sites=[*OLD, ADDED], infrastructure_only=True, limits=LIMITS) as stack,
        closing(Sites(stack, OLD)) as sites,
    ):
        for name in OLD:
            assert sites.replication("init", "--site", name).returncode == 0
        for name in [*OLD, ADDED]:
            sites.run(name, f"CREATE SCHEMA load; CREATE TABLE {TABLE} ({columns([*OLD, ADDED])})")
        for name in OLD:
            added = sites.replication("add-table", TABLE, "--site", name)
            assert added.returncode == 0, added.stdout + added.stderr
        stack.start(*daemons(*OLD))
        for name in OLD:
            until(f"the daemons of {name} run", lambda: sites.value(name, KNOWN, (ADDED, ADDED)), 120, sites.logs)  # noqa: B023
        yield sites


@pytest.fixture
def sites(two_sites: Sites) -> Iterator[Sites]:
    """All three, equal."""
    until("the third site's database answers", lambda: two_sites.value(ADDED, "SELECT true"))
    if two_sites.value(ADDED, "SELECT to_regclass('kuroshio.site') IS NULL"):
        add(two_sites)
    with closing(Sites(two_sites.stack)) as whole:
        whole.stack.start(*daemons(*whole.names))
        whole.stack.wan.heal()
        whole.converge(TABLE)
        yield whole

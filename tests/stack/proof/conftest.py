"""The proofs share four running sites: starting them takes longer than most tests."""

from collections.abc import Iterator

import pytest

from deploy.local.programs import DAEMONS, INFRASTRUCTURE, names
from deploy.local.supervisor import RUNNING
from tests.stack.proof.sites import Sites, running_sites, until

FOUR = ("taipei", "kaohsiung", "shanghai", "us")
HURRY = 15


@pytest.fixture(scope="package")
def four_sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    with running_sites(tmp_path_factory.mktemp("proof"), FOUR, watched=HURRY) as sites:
        sites.stack.stop(*sites.stack.watchers)
        yield sites


@pytest.fixture
def sites(four_sites: Sites) -> Iterator[Sites]:
    """The four sites, whole: every line open and every program running, before and after the test."""
    mend(four_sites)
    yield four_sites
    mend(four_sites)


def mend(sites: Sites) -> None:
    stack = sites.stack
    stack.wan.heal()
    stack.wan.shape(rate="full", delay="0ms")
    programs = names(stack.config, *INFRASTRUCTURE, *DAEMONS)
    stack.supervisor.start_programs(programs)
    until("all programs run", lambda: {stack.supervisor.states()[name] for name in programs} == {RUNNING})

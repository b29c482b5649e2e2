"""What all tests share: the Hypothesis profile, what a log may say, and which of several workers runs what.

Fixtures stand in the folder of their kind. A folder is one worker's, so that what its tests share is started once. The
tests on whole sites come last and one after another: they look at the clock, and fill the machine by themselves.
"""

import logging

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

SITES = "sites"

settings.register_profile("kuroshio", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("kuroshio")

logging.getLogger("pika").setLevel(logging.WARNING)  # each step of each connection drowns why a test failed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _group(item.nodeid) == SITES)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    return ByFolder(config, log)


class ByFolder(LoadScopeScheduling):  # type: ignore[misc]  # it carries no types
    """Hands out a folder's tests at a time, and those on whole sites as one."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


def _group(nodeid: str) -> str:
    folder = nodeid.split("/")[1]
    return SITES if folder in ("browser", "stack") else folder

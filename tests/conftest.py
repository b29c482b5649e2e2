"""What all tests share: the Hypothesis profile, what a log may say, and which of several workers runs what.

Fixtures stand in the folder of their kind. A folder is one worker's, so that what its tests share is started once; a
module directly in stack/ has sites of its own. Whole sites come when all else is done, and the one that looks at them
at rest comes last. What is timed asks for the machine for itself (`alone`).
"""

import fcntl
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

WHOLE_SITES = ("tests/browser", "tests/stack")
AT_REST = "tests/stack/test_whole_stack.py"

settings.register_profile("kuroshio", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("kuroshio")

logging.getLogger("pika").setLevel(logging.WARNING)  # each step of each connection drowns why a test failed


@pytest.fixture(scope="session", autouse=True)
def at_work() -> Iterator[TextIO]:
    """Held by every worker of a run, each with the others, until it has nothing left to do."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"alone-{os.getpid()}")
    path = Path(tempfile.gettempdir()) / f"kuroshio-at-work-{run}"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield file
    path.unlink(missing_ok=True)


@pytest.fixture
def alone(at_work: TextIO) -> None:
    """Wait until the other workers are done. For modules that come last: two that wait would wait for each other."""
    fcntl.flock(at_work, fcntl.LOCK_EX)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: (item.nodeid.startswith(WHOLE_SITES), item.nodeid.startswith(AT_REST)))


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    return ByFolder(config, log)


class ByFolder(LoadScopeScheduling):  # type: ignore[misc]  # it carries no types
    """Hands out the tests of a folder at a time, or of a module that has sites of its own."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.split("::")[0]
        folder = module.rpartition("/")[0]
        return module if folder == "tests/stack" else folder

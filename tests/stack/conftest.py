"""Fixtures of tests that need whole sites: `stack_factory` makes stacks that live as long as the module."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from deploy.local.stack import Stack
from tests.stack.stack import running_stack

StackFactory = Callable[..., Stack]


@pytest.fixture(scope="module")
def stack_factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackFactory]:
    """Takes what `running_stack` takes; each call is one more stack."""
    with ExitStack() as stacks:

        def make(**wanted: object) -> Stack:
            folder = tmp_path_factory.mktemp("stack")
            return stacks.enter_context(running_stack(folder, **wanted))  # type: ignore[arg-type]

        yield make

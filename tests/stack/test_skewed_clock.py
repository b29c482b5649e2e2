"""One site's clock can be off from the others', and be moved while it runs."""

from datetime import datetime

import psycopg
import pytest

from deploy.local.stack import Stack
from deploy.local.supervisor import wait_until
from tests.stack.conftest import StackFactory


@pytest.fixture(scope="module")
def stack(stack_factory: StackFactory) -> Stack:
    return stack_factory(infrastructure_only=True, skewed=["kaohsiung"])


def ahead_seconds(stack: Stack) -> float:
    """By how much Kaohsiung's clock is ahead of Taipei's."""
    kaohsiung, taipei = (_now(stack, name) for name in ("kaohsiung", "taipei"))
    return (kaohsiung - taipei).total_seconds()


def _now(stack: Stack, site: str) -> datetime:
    with psycopg.connect(stack.site(site).dsn()) as connection:
        row = connection.execute("select clock_timestamp()").fetchone()
    assert row is not None
    return row[0]  # type: ignore[no-any-return]


def test_a_site_s_clock_follows_its_file_while_it_runs(stack: Stack) -> None:
    assert abs(ahead_seconds(stack)) < 2
    for skew in ("+600", "-600"):
        stack.layout.clock("kaohsiung").write_text(f"{skew}\n")
        wait_until(f"the clock is off by {skew} s", lambda: abs(ahead_seconds(stack) - int(skew)) < 2, 20)  # noqa: B023

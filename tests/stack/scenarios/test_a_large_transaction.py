"""Scenario 15 in small: a large transaction over a thin line that is cut in its middle, and a one-row change after it.

So far what was written behind a large transaction waits for it on the same line (`replication/ARCHITECTURE.md`); at
sites whose lines are good, and from other origins, it does not. `tests/stack/proof/test_large.py` cuts a larger one
three times and watches the memory.
"""

from collections.abc import Iterator

import pytest

from deploy.local.wan.client import Lines
from tests.stack.proof.sites import Sites, until
from tests.stack.proof.test_large import look
from tests.stack.scenarios.table import SCHEMA

TABLE = f"{SCHEMA}.line"
ROWS = 20_000
AUTHOR, READER, OTHER = "taipei", "us", "kaohsiung"
STAGED = f"SELECT count(*) FROM kuroshio.staged_part WHERE origin = '{AUTHOR}'"
AFTER = f"SELECT note FROM {TABLE} WHERE id = 0"


@pytest.fixture
def thin(sites: Sites) -> Iterator[Sites]:
    sites.everywhere(f"CREATE TABLE IF NOT EXISTS {TABLE} (id int PRIMARY KEY, note text)")
    sites.add_tables(TABLE)
    sites.run(AUTHOR, f"INSERT INTO {TABLE} VALUES (0, 'before') ON CONFLICT (id) DO UPDATE SET note = 'before'")
    sites.converge(TABLE)
    sites.stack.wan.shape(Lines(sender=AUTHOR, receiver=READER), rate="512kbit")
    yield sites
    sites.stack.wan.heal()
    sites.stack.wan.shape(rate="full")


def test_it_shows_whole_after_a_cut_in_its_middle_and_so_does_what_was_written_after_it(thin: Sites) -> None:
    thin.run(AUTHOR, f"INSERT INTO {TABLE} SELECT g, md5(g::text) FROM generate_series(1, {ROWS}) g")
    thin.run(AUTHOR, f"UPDATE {TABLE} SET note = 'after' WHERE id = 0")
    until("it is whole over a good line", lambda: thin.value(OTHER, AFTER) == "after")
    assert count(thin, OTHER) == ROWS
    until("a part of it is staged", lambda: thin.value(READER, STAGED) > 0)
    thin.stack.wan.cut(Lines(site=AUTHOR, peer=READER), mode="reset")
    assert count(thin, READER) == 0
    thin.run(OTHER, f"INSERT INTO {TABLE} VALUES (-1, 'from another origin')")
    until("another origin's row is there", lambda: thin.run(READER, f"SELECT 1 FROM {TABLE} WHERE id = -1"))
    seen = {count(thin, READER)}
    thin.stack.wan.heal()
    until("it shows", lambda: look(seen, count(thin, READER)) == ROWS)
    assert seen == {0, ROWS}, "a part of it was visible"
    until("what was written after it is there", lambda: thin.value(READER, AFTER) == "after")
    thin.converge(TABLE)
    assert thin.value(READER, STAGED) == 0


def test_a_part_that_was_lost_at_its_reader_is_read_again(thin: Sites) -> None:
    """Its transaction is not applied without it, and nothing ends: what the log has is looked for there."""
    thin.stack.wan.shape(Lines(sender=AUTHOR, receiver=READER), rate="2Mbit")
    thin.run(AUTHOR, f"INSERT INTO {TABLE} SELECT g, md5(g::text) FROM generate_series({ROWS + 1}, {2 * ROWS}) g")
    until("a part of it is staged", lambda: thin.value(READER, STAGED) > 0)
    apply = thin.stack.supervisor.pid(f"{READER}-apply")
    thin.run(READER, f"DELETE FROM kuroshio.staged_part WHERE origin = '{AUTHOR}'")
    thin.run(AUTHOR, f"UPDATE {TABLE} SET note = 'after' WHERE id = 0")
    assert count(thin, READER, above=ROWS) == 0
    until("it shows", lambda: count(thin, READER, above=ROWS) == ROWS, explain=thin.logs)
    until("what was written after it is there", lambda: thin.value(READER, AFTER) == "after")
    assert thin.stack.supervisor.pid(f"{READER}-apply") == apply, "apply has ended"
    thin.converge(TABLE)


def count(sites: Sites, site: str, *, above: int = 0) -> int:
    return int(sites.value(site, f"SELECT count(*) FROM {TABLE} WHERE id > {above}"))

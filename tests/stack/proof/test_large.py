"""A large transaction whose line is cut in its middle: nothing of it shows before all, and little is sent twice."""

from pathlib import Path
from typing import Any

import pytest

from deploy.local.wan.client import Lines
from tests.stack.proof.sites import Sites, until

ROWS = 60_000
MOST_MEMORY_MB = 300
READER, AUTHOR, OTHER = "us", "taipei", "shanghai"
STAGED = f"SELECT count(*) FROM kuroshio.staged_part WHERE origin = '{AUTHOR}'"


@pytest.fixture(scope="module")
def table(four_sites: Sites) -> str:
    four_sites.everywhere("CREATE SCHEMA large; CREATE TABLE large.line (id int PRIMARY KEY, n int, note text)")
    four_sites.add_tables("large.line")
    return "large.line"


def peak_mb(sites: Sites, program: str) -> float:
    status = Path(f"/proc/{sites.stack.supervisor.pid(program)}/status").read_text()
    [peak] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peak.split()[1]) / 1024


def carried(sites: Sites) -> int:
    """Bytes that the line has carried to the reader."""
    return sites.stack.wan.counters()[f"{AUTHOR}>{READER}"]["bytes"]


def count(sites: Sites, site: str) -> int:
    return int(sites.value(site, "SELECT count(*) FROM large.line WHERE id > 0"))


def look(seen: set[Any], found: Any) -> Any:
    """Note what was seen."""
    seen.add(found)
    return found


def test_a_large_transaction_that_is_cut_in_its_middle_shows_whole_and_goes_on_where_it_was(
    sites: Sites, table: str
) -> None:
    line = Lines(sender=AUTHOR, receiver=READER)
    sites.stack.wan.shape(line, rate="2Mbit")
    began = carried(sites)
    sites.run(AUTHOR, f"INSERT INTO {table} SELECT g, g, md5(g::text) FROM generate_series(1, {ROWS}) g")
    seen: set[int] = set()
    for cut in range(1, 4):
        until("some more parts are staged", lambda: sites.value(READER, STAGED) >= 2 * cut)  # noqa: B023
        seen.add(count(sites, READER))
        sites.stack.wan.cut(Lines(site=AUTHOR, peer=READER), mode="reset")
        sites.run(OTHER, f"INSERT INTO {table} VALUES (-{cut}, 0, 'another origin goes on')")
        until("the other's row is there", lambda: sites.run(READER, f"SELECT 1 FROM {table} WHERE id = -{cut}"))  # noqa: B023
        seen.add(count(sites, READER))
        sites.stack.wan.heal()
    before = carried(sites)
    until("the transaction shows", lambda: look(seen, count(sites, READER)) == ROWS)
    assert seen == {0, ROWS}, f"part of a transaction was visible: {seen}"
    sites.stack.wan.shape(rate="full")
    sites.converge(table)
    whole = carried(sites) - began
    assert before - began > whole / 10, "the cuts came before anything was sent"
    assert sites.value(READER, STAGED) == 0
    until("the second lane has it too", lambda: not sites.parked(READER))
    for program in (f"{AUTHOR}-capture", f"{READER}-apply", f"{OTHER}-apply"):
        assert peak_mb(sites, program) < MOST_MEMORY_MB
    assert whole < 1.6 * least_bytes(sites), "parts that were staged were sent again"


def least_bytes(sites: Sites) -> int:
    """What the transaction costs over a line that is never cut: it went to another site, too."""
    return sites.stack.wan.counters()[f"{AUTHOR}>{OTHER}"]["bytes"]


def test_a_large_update_and_delete_arrive_whole(sites: Sites, table: str) -> None:
    half = ROWS // 2
    with sites.connect(AUTHOR) as author, author.transaction():
        author.execute(f"UPDATE {table} SET n = -n WHERE id <= {half}")
        author.execute(f"DELETE FROM {table} WHERE id > {half} AND id <= {half + 8000}")
    sums: set[tuple[int, int]] = set()
    query = f"SELECT count(*) FILTER (WHERE n < 0), count(*) FROM {table} WHERE id > 0"
    until("it is there", lambda: look(sums, sites.run(READER, query)[0]) != (0, ROWS))
    sites.converge(table)
    assert sums == {(0, ROWS), (half, ROWS - 8000)}

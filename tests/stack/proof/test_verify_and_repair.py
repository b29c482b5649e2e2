"""Four sites ask each other over the control plane: what differs is found in the background, planned, and repaired."""

import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.wan.client import Lines
from replication.control.asking import Peers, peers_of
from replication.errors import BrokerUnavailable, RefusedError
from tests.postgres.servers import as_applied
from tests.stack.proof.sites import Sites, until

HERE, SPOILT, LACKING = "taipei", "us", "kaohsiung"
TABLE = "repairs.customer"
ROWS = 3000


@pytest.fixture(scope="module")
def table(four_sites: Sites) -> str:
    four_sites.everywhere(
        f"CREATE SCHEMA repairs; CREATE TABLE {TABLE} (id int PRIMARY KEY, name text, phone text, note text)"
    )
    four_sites.add_tables(TABLE)
    four_sites.run(HERE, f"INSERT INTO {TABLE} SELECT i, '陳 ' || i, '0', '' FROM generate_series(1, {ROWS}) i")
    four_sites.converge(TABLE)
    return TABLE


@pytest.fixture
def peers(sites: Sites) -> Iterator[Peers]:
    """As taipei's control daemon asks, through the emulated WAN."""
    config = sites.stack.config
    with peers_of(config, config.site(HERE)) as found:
        yield found


def spoil(sites: Sites, site: str, statement: str) -> None:
    """Write as nobody should: neither stamped nor captured."""
    session = sites.session(site)
    with as_applied(session):
        session.execute(statement.encode())


def known(sites: Sites, site: str, peer: str) -> tuple[int, str]:
    """How many rows of the table differ, as far as a site knows; none where it does not know."""
    query = (
        "SELECT divergent, undecided FROM kuroshio.verification WHERE peer = %s AND relname = 'customer'"
        " AND nspname = 'repairs' AND ended_at > asked_at"
    )
    found = sites.run(site, query, (peer,))
    return found[0] if found else (-1, "")


def ask_all(sites: Sites) -> None:
    done = sites.replication("verify", "--background")
    assert done.returncode == 0, done.stdout + done.stderr


def repair(sites: Sites, *arguments: str, returns: int = 0) -> str:
    done = sites.replication("repair", *arguments)
    assert done.returncode == returns, done.stdout + done.stderr + sites.logs()
    return done.stdout + done.stderr


def test_a_site_asks_over_the_wan_and_is_told_when_the_line_is_cut(sites: Sites, peers: Peers) -> None:
    said = peers.ask(SPOILT, "positions", {"fence": False}, seconds=180)
    assert said["logs"]
    sites.stack.wan.cut(Lines(site=SPOILT, peer=HERE))
    began = time.monotonic()
    with pytest.raises(BrokerUnavailable, match="did not answer"):
        peers.ask(SPOILT, "positions", {"fence": False}, seconds=6)
    assert time.monotonic() - began < 10
    assert peers.ask(LACKING, "positions", {"fence": False}, seconds=30), "the others are asked all the same"
    sites.stack.wan.heal()
    assert peers.ask(SPOILT, "positions", {"fence": False}, seconds=30)


def test_what_is_asked_of_a_site_is_checked(sites: Sites, peers: Peers) -> None:
    for what, body in (
        ("positions", {"fence": "yes"}),
        ("resend", {"table": ["kuroshio", "site"], "keys": [["1"]], "by": "x"}),
        ("table", {"table": ["repairs", "nothing"]}),
        ("drop", {}),
    ):
        with pytest.raises(RefusedError):
            peers.ask(SPOILT, what, body, seconds=30)
    refused = sites.value(SPOILT, "SELECT refused FROM kuroshio.letters WHERE peer = %s", (HERE,))
    assert refused >= 4


def test_rows_that_differ_are_found_by_every_site_in_the_background(sites: Sites, table: str) -> None:
    spoil(sites, SPOILT, f"UPDATE {table} SET phone = '1' WHERE id IN (7, 2999)")
    spoil(sites, LACKING, f"DELETE FROM {table} WHERE id = 1500")
    sites.stack.wan.shape(Lines(site=SPOILT, peer=HERE), rate="64kbit", delay="100ms")
    ask_all(sites)
    expected = {(HERE, SPOILT): 2, (SPOILT, HERE): 2, (HERE, LACKING): 1, (SPOILT, LACKING): 3, (HERE, "shanghai"): 0}
    for (site, peer), count in expected.items():
        until(
            f"{site} knows of {count} rows that differ at {peer}",
            lambda: known(sites, site, peer) == (count, ""),  # noqa: B023
            120,
            lambda: str([known(sites, *pair) for pair in expected]) + sites.logs(),
        )
    named = sites.run(HERE, "SELECT key[1] FROM kuroshio.divergent WHERE peer = %s ORDER BY 1", (SPOILT,))
    assert named == [("2999",), ("7",)]
    letters = "SELECT letter_bytes FROM kuroshio.verification WHERE peer = %s AND relname = 'customer'"
    assert sites.value(HERE, letters, (SPOILT,)) < 20_000


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan, passed from test to test."""
    return tmp_path_factory.mktemp("repair") / "plan.toml"


def test_a_plan_says_what_each_site_holds_and_changes_nothing(sites: Sites, table: str, file: Path) -> None:
    """What differs is what the test before has spoilt."""
    sites.run("shanghai", f"UPDATE {table} SET note = 'edited' WHERE id = 7")
    sites.run(HERE, f"INSERT INTO {table} VALUES (5000, 'new', '', '')")
    repair(sites, "--plan", str(file))
    assert file.stat().st_mode & 0o077 == 0
    plan = tomllib.loads(file.read_text())
    rows: dict[str, dict[str, Any]] = {row["key"]["id"]: row for row in plan["row"]}
    assert set(rows) == {"7", "2999", "1500"}
    [cell] = rows["7"]["cell"]
    assert (cell["column"], cell["at taipei"], cell["at us"], cell["becomes"]) == ("phone", "0", "1", "1")
    assert "one write that is not the same everywhere" in cell["why"]
    assert rows["1500"]["finding"].startswith("taipei: there, kaohsiung: missing")
    assert sites.digest("taipei", table) != sites.digest("us", table), "a plan changes nothing"


def test_a_plan_is_refused_when_stale_and_makes_all_alike_when_not(sites: Sites, table: str, file: Path) -> None:
    sites.run(HERE, f"UPDATE {table} SET note = 'changed since' WHERE id = 2999")
    assert "id = 2999) has changed" in repair(sites, "--apply", str(file), returns=1)
    assert sites.run(LACKING, f"SELECT 1 FROM {table} WHERE id = 1500") == [], "nothing was done"

    repair(sites, "--plan", str(file))
    assert "3 rows sent again, 0 were alike" in repair(sites, "--apply", str(file))
    sites.wait_and_verify()
    assert "0 rows sent again, 3 were alike" in repair(sites, "--apply", str(file))
    assert sites.run(LACKING, f"SELECT phone, note FROM {table} WHERE id IN (7, 1500) ORDER BY id") == [
        ("1", "edited"), ("0", "")]  # fmt: skip
    told = [row for site in sites.names for row in sites.run(site, "SELECT key[1], applied_by FROM kuroshio.repair")]
    assert {key for key, _ in told} == {"7", "2999", "1500"}
    assert all("@" in by for _, by in told)
    assert "nothing differs" in repair(sites, "--plan", str(file))


def test_what_was_found_is_found_no_more(sites: Sites, table: str) -> None:
    ask_all(sites)
    for site, peer in ((HERE, LACKING), (HERE, SPOILT), (SPOILT, HERE)):
        until(f"{site} knows of nothing", lambda: known(sites, site, peer) == (0, ""), 120, sites.logs)  # noqa: B023
    assert sites.run(HERE, "SELECT key FROM kuroshio.divergent") == []


def test_a_hidden_row_is_repaired(sites: Sites, file: Path) -> None:
    tags = "repairs.tag"
    sites.everywhere(f"CREATE TABLE {tags} (id int PRIMARY KEY, name text UNIQUE NULLS NOT DISTINCT, note text)")
    sites.add_tables(tags)
    sites.run(HERE, f"INSERT INTO {tags} VALUES (1, NULL, '')")
    sites.stack.wan.cut(Lines(site=SPOILT, peer=HERE))
    sites.run(SPOILT, f"INSERT INTO {tags} VALUES (2, NULL, '')")
    sites.stack.wan.heal()
    sites.wait_and_verify()
    hidden = "SELECT key[1], cells->>'note' FROM kuroshio.tombstone WHERE relname = 'tag' AND hidden <> ''"
    [(key, _)] = sites.run(HERE, hidden)
    spoil(sites, SPOILT, """UPDATE kuroshio.tombstone SET cells = cells || '{"note": "x"}' WHERE hidden <> ''""")
    assert sites.replication("verify").returncode == 1
    repair(sites, "--plan", str(file))
    assert "1 rows sent again, 0 were alike" in repair(sites, "--apply", str(file))
    sites.wait_and_verify()
    assert [sites.run(site, hidden) for site in sites.names] == [[(key, "x")]] * len(sites.names)


def test_a_plan_says_that_more_rows_differ_than_it_holds(sites: Sites, table: str, file: Path) -> None:
    spoil(sites, LACKING, f"UPDATE {table} SET phone = '2' WHERE id BETWEEN 1 AND 130")
    assert "30 more rows differ" in repair(sites, "--plan", str(file), returns=1)
    assert "100 rows sent again" in repair(sites, "--apply", str(file))
    assert "30 rows; " in repair(sites, "--plan", str(file))
    repair(sites, "--apply", str(file))
    sites.wait_and_verify()

"""A change of the rules that lets sites have more than before, on running sites: what was there arrives, with nobody
writing it again, and nothing is lost on the way from one to another.

The US has none of Shanghai's rows at first, and masks in the others. Then it may have everything, and what was
Shanghai's alone becomes its own alone.
"""

from collections.abc import Iterator

import pytest

from deploy.local.programs import DAEMONS, names
from deploy.local.say import Say
from deploy.local.stack import Stack
from replication.apply.sharing import SLICE_ROWS
from replication.audience import view_for
from sitecfg import load
from tests.stack.proof.sites import Sites, until
from tests.stack.stack import running_stack

HERE, FAR, HEADQUARTERS = "shanghai", "us", "taipei"
PERSON, GIVEN = "public.person", "public.given"
OLD = f"""
[table."{PERSON}"]
share = {{ column = "owner", map = {{ shanghai = ["shanghai", "taipei"] }} }}
[table."{PERSON}".column]
card = {{ share = ["shanghai"], mask = {{ part = 4 }} }}
points = "counter"
[table."{GIVEN}"]
share = {{ column = "owner", map = {{ shanghai = ["shanghai"] }} }}
"""
US_ALONE = f"""
[table."{GIVEN}"]
share = {{ column = "owner", map = {{ shanghai = ["us"] }} }}
"""
NEW = f"""
[table."{PERSON}"]
[table."{PERSON}".column]
points = "counter"
{US_ALONE}"""
COLUMNS = f"""
[table."{PERSON}".column]
card = {{ share = ["shanghai", "taipei"], mask = {{ part = 4 }} }}
points = "counter"
{US_ALONE}"""
MASKED = f'[table."{PERSON}"]{COLUMNS}'
"""The US has all rows, and no card."""
NARROW = f'[table."{PERSON}"]\nshare = {{ column = "owner", map = {{ shanghai = ["shanghai", "taipei"] }} }}{COLUMNS}'
"""And none of Shanghai's rows."""
CREATE = f"""
CREATE TABLE {PERSON} (id int PRIMARY KEY, owner text NOT NULL, name text, card text, points int NOT NULL DEFAULT 0);
CREATE TABLE {GIVEN} (id text PRIMARY KEY, owner text NOT NULL, note text)"""
ROWS = 3 * SLICE_ROWS + 10


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    folder = tmp_path_factory.mktemp("widening")
    with running_stack(folder, sites=(HEADQUARTERS, HERE, FAR), rules=OLD, infrastructure_only=True) as stack:
        found = Sites(stack)
        found.everywhere(CREATE)
        done = found.replication("init")
        assert done.returncode == 0, done.stderr
        found.add_tables(PERSON, GIVEN)
        stack.up()
        yield found
        found.close()


def put_rules(sites: Sites, rules: str) -> None:
    """These files at all sites."""
    [file] = (sites.stack.config.directory / "rules").glob("*.toml")
    file.write_text(rules)


def change_rules(sites: Sites, rules: str = NEW) -> None:
    """The new rules at all sites, as sitecfg/RESIDENCY.md says: the brokers let each peer read another view, too."""
    directory = sites.stack.config.directory
    put_rules(sites, rules)
    sites.stack.stop(*names(sites.stack.config, *DAEMONS))
    sites.close()
    sites.stack = Stack(load(directory), Say())
    sites.stack.up(infrastructure_only=True)
    sites.add_tables(PERSON, GIVEN)
    sites.stack.up()


def test_who_may_have_more_gets_it_whole_though_nobody_writes_it_again(sites: Sites) -> None:
    sites.run(
        HERE,
        f"INSERT INTO {PERSON} (id, owner, name, card) SELECT g, CASE g % 4 WHEN 0 THEN '{FAR}' ELSE '{HERE}' END,"
        f" 'name ' || g, '4111-' || g FROM generate_series(1, {ROWS}) g",
    )
    sites.run(HERE, f"INSERT INTO {GIVEN} SELECT 'g' || g, '{HERE}', 'note' FROM generate_series(1, 20) g")
    count = f"SELECT count(*) FROM {PERSON}"
    until("headquarters has all", lambda: sites.value(HEADQUARTERS, count) == ROWS, explain=sites.logs)
    until("the US has its own", lambda: sites.value(FAR, count) == ROWS // 4, explain=sites.logs)
    assert sites.value(FAR, f"SELECT count(*) FROM {PERSON} WHERE card LIKE '4111%'") < ROWS // 4

    # On their way to who will send, or known there as deleted, when the rules change.
    [reading] = [name for name in names(sites.stack.config, "apply") if name.startswith(HERE)]
    sites.stack.supervisor.stop_programs([reading])
    sites.run(HEADQUARTERS, f"UPDATE {PERSON} SET name = 'late', points = points + 3 WHERE id IN (1, 4, {ROWS})")
    sites.run(HEADQUARTERS, f"INSERT INTO {PERSON} (id, owner, name) VALUES (0, '{HERE}', 'late')")
    sites.run(HERE, f"UPDATE {PERSON} SET points = points + 2 WHERE id = 1; DELETE FROM {PERSON} WHERE id = 2")
    change_rules(sites)

    assert view_for(sites.stack.config.rules, FAR).name == "", "the view of everything gets whole rows, too"
    until("a slice is there", lambda: sites.value(FAR, count) > ROWS // 4 + 100, explain=sites.logs)
    assert sites.value(FAR, count) < ROWS, "it comes in slices"
    sites.stack.kill(reading)

    until("all is there", lambda: sites.value(FAR, count) == ROWS, explain=sites.logs)
    sites.converge(PERSON)
    late = f"SELECT id, name, points FROM {PERSON} WHERE name = 'late' ORDER BY id"
    assert sites.run(FAR, late) == [(0, "late", 0), (1, "late", 5), (4, "late", 3), (ROWS, "late", 3)]
    assert sites.value(FAR, f"SELECT count(*) FROM {PERSON} WHERE card NOT LIKE '4111-%'") == 0
    for site in sites.names:
        settled = "SELECT bool_and(jsonb_array_length(audiences) = 1) FROM kuroshio.audience"
        until(f"{site} owes nothing", lambda: sites.value(site, settled), explain=sites.logs)  # noqa: B023
    sites.wait_and_verify()


def test_who_may_not_have_it_any_more_hands_it_over_before_it_is_taken_away(sites: Sites) -> None:
    count = f"SELECT count(*) FROM {GIVEN}"
    until("the US has it", lambda: sites.value(FAR, count) == 20, explain=sites.logs)
    until("Shanghai has it no more", lambda: sites.value(HERE, count) == 0, explain=sites.logs)
    assert sites.value(HEADQUARTERS, count) == 0


def test_what_is_written_afterwards_travels_as_ever(sites: Sites) -> None:
    sites.run(FAR, f"UPDATE {PERSON} SET card = 'from the US' WHERE id = 1")
    sites.run(HERE, f"INSERT INTO {PERSON} (id, owner) VALUES (-1, '{HERE}')")
    sites.converge(PERSON)
    sites.wait_and_verify()


ENTITLED = f"SELECT count(*) FILTER (WHERE owner = '{HERE}'), count(*) FILTER (WHERE card LIKE '4111-%') FROM {PERSON}"
IMAGES = "SELECT count(*) FROM kuroshio.tombstone WHERE cells::text LIKE '%canary%'"


def test_changes_that_follow_each_other_at_once_leak_nothing_and_end_with_what_the_last_one_says(sites: Sites) -> None:
    """Taken away; given, and taken away before it is through; given again."""
    sites.run(HERE, f"INSERT INTO {PERSON} (id, owner, name) VALUES (-2, '{HERE}', 'canary')")
    sites.converge(PERSON)
    sites.run(HERE, f"DELETE FROM {PERSON} WHERE id = -2")
    until("the US has heard of it", lambda: sites.value(FAR, IMAGES) == 1, explain=sites.logs)
    change_rules(sites, NARROW)
    sites.run(HERE, f"UPDATE {PERSON} SET name = 'meanwhile' WHERE id = 3")
    until("the US has none of Shanghai's rows", lambda: sites.run(FAR, ENTITLED) == [(0, 0)], explain=sites.logs)
    until("nor what was deleted", lambda: sites.value(FAR, IMAGES) == 0, explain=sites.logs)

    change_rules(sites, MASKED)
    until("some of them came", lambda: sites.run(FAR, ENTITLED) != [(0, 0)], explain=sites.logs)
    sites.stack.supervisor.stop_programs([f"{FAR}-apply"])
    put_rules(sites, NEW)
    refused = sites.replication("add-table", PERSON)
    assert refused.returncode != 0, "what it has not applied is owed to it, and more cannot be given before"
    assert f"{HEADQUARTERS} has not sent all" in refused.stderr
    change_rules(sites, NARROW)
    sites.wait_and_verify()
    assert sites.run(FAR, ENTITLED) == [(0, 0)]

    change_rules(sites, NEW)
    waited = sites.replication("wait", "--timeout", "90")
    assert waited.returncode == 0, waited.stderr + sites.logs()
    assert sites.value(FAR, f"SELECT name FROM {PERSON} WHERE id = 3") == "meanwhile", "wait waits for what is owed"
    sites.converge(PERSON)
    sites.wait_and_verify()

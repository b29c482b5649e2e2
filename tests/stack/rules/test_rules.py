"""The rules on running sites: what is concurrent is decided as declared, and what was seen may be edited again."""

from collections.abc import Iterator

import pytest

from deploy.local.programs import names
from tests.stack.proof.sites import Sites, until

HEADQUARTERS, BRANCH = "taipei", "us"
TABLE = "public.account"
RULES = f"""
[table."{TABLE}"]
owner = "owner"
delete = "stamp"
[table."{TABLE}".column]
credit = {{ rule = "site", site = "{HEADQUARTERS}" }}
phone = {{ rule = "owner" }}
[table."{TABLE}".groups]
price = ["amount", "currency"]
[table."public.visit"]
"""
CREATE = f"""
CREATE TABLE {TABLE} (id int PRIMARY KEY, owner text NOT NULL, credit int, phone text, amount int, currency text);
CREATE TABLE public.visit (id int PRIMARY KEY, account int NOT NULL REFERENCES {TABLE})"""


@pytest.fixture
def apart(sites: Sites) -> Iterator[Sites]:
    """Nothing is applied until `meet` is called, so that what the sites write is concurrent."""
    sites.converge(TABLE, "public.visit")
    sites.stack.supervisor.stop_programs(names(sites.stack.config, "apply"))
    yield sites
    meet(sites)


def meet(sites: Sites) -> None:
    sites.stack.supervisor.start_programs(names(sites.stack.config, "apply"))
    sites.converge(TABLE, "public.visit")


def insert(sites: Sites, key: int, owner: str = HEADQUARTERS) -> None:
    sites.run(
        HEADQUARTERS, f"INSERT INTO {TABLE} VALUES (%s, %s, 1, 'first', 10, 'USD') ON CONFLICT DO NOTHING", (key, owner)
    )
    until("the row is at the branch", lambda: sites.run(BRANCH, f"SELECT 1 FROM {TABLE} WHERE id = {key}"))


def row(sites: Sites, site: str, key: int, columns: str) -> tuple[object, ...]:
    [found] = sites.run(site, f"SELECT {columns} FROM {TABLE} WHERE id = {key}")
    return found


def test_a_branch_that_saw_headquarters_value_may_edit_it_again(sites: Sites) -> None:
    insert(sites, 1)
    sites.run(HEADQUARTERS, f"UPDATE {TABLE} SET credit = 100 WHERE id = 1")
    until("the branch sees it", lambda: row(sites, BRANCH, 1, "credit") == (100,))
    sites.run(BRANCH, f"UPDATE {TABLE} SET credit = 101 WHERE id = 1")
    sites.converge(TABLE)
    assert row(sites, HEADQUARTERS, 1, "credit") == (101,)


def test_headquarters_beats_whatever_is_concurrent_however_late_and_often(apart: Sites) -> None:
    apart.run(HEADQUARTERS, f"INSERT INTO {TABLE} VALUES (2, 'x', 1, '', 1, 'USD')")
    meet(apart)
    apart.stack.supervisor.stop_programs(names(apart.stack.config, "apply"))
    apart.run(HEADQUARTERS, f"UPDATE {TABLE} SET credit = 7 WHERE id = 2")
    for credit in (8, 9):
        apart.run(BRANCH, f"UPDATE {TABLE} SET credit = {credit} WHERE id = 2")
    meet(apart)
    assert row(apart, BRANCH, 2, "credit") == (7,)
    recorded = "SELECT resolution, rule, winner_value, loser_value FROM kuroshio.conflict"
    recorded += " WHERE relname = 'account' AND key = '{2}' ORDER BY 4"
    lost = [("keep_local", "site", "7", "8"), ("keep_local", "site", "7", "9")]
    until("both lost edits are on record", lambda: apart.run(HEADQUARTERS, recorded) == lost)


def test_an_offline_former_owner_cannot_beat_the_new_one(sites: Sites) -> None:
    """Pitfall P4: counting epochs alone would let it."""
    insert(sites, 3)
    for number in range(5):
        sites.run(HEADQUARTERS, f"UPDATE {TABLE} SET phone = 'mine {number}' WHERE id = 3")
    sites.run(HEADQUARTERS, f"UPDATE {TABLE} SET owner = '{BRANCH}' WHERE id = 3")
    sites.converge(TABLE)
    sites.stack.supervisor.stop_programs(names(sites.stack.config, "apply"))
    sites.run(BRANCH, f"UPDATE {TABLE} SET phone = 'new owner' WHERE id = 3")
    sites.run(HEADQUARTERS, f"UPDATE {TABLE} SET phone = 'former owner' WHERE id = 3")
    meet(sites)
    assert row(sites, HEADQUARTERS, 3, "phone") == ("new owner",)


def test_a_group_wins_whole(apart: Sites) -> None:
    apart.run(HEADQUARTERS, f"INSERT INTO {TABLE} VALUES (4, 'x', 1, '', 10, 'USD')")
    meet(apart)
    apart.stack.supervisor.stop_programs(names(apart.stack.config, "apply"))
    apart.run(HEADQUARTERS, f"UPDATE {TABLE} SET amount = 300 WHERE id = 4")
    apart.run(BRANCH, f"UPDATE {TABLE} SET currency = 'TWD' WHERE id = 4")
    meet(apart)
    assert row(apart, HEADQUARTERS, 4, "amount, currency") == (10, "TWD")


def test_an_edit_later_than_a_delete_that_did_not_see_it_brings_the_row_back(apart: Sites) -> None:
    apart.run(HEADQUARTERS, f"INSERT INTO {TABLE} VALUES (5, 'x', 1, '', 1, 'USD'), (6, 'x', 1, '', 1, 'USD')")
    meet(apart)
    apart.stack.supervisor.stop_programs(names(apart.stack.config, "apply"))
    apart.run(HEADQUARTERS, f"DELETE FROM {TABLE} WHERE id = 5")
    apart.run(BRANCH, f"UPDATE {TABLE} SET amount = 2 WHERE id IN (5, 6)")
    apart.run(HEADQUARTERS, f"DELETE FROM {TABLE} WHERE id = 6")
    meet(apart)
    for site in apart.names:
        assert apart.run(site, f"SELECT id, amount FROM {TABLE} WHERE id IN (5, 6)") == [(5, 2)]


def test_a_parent_deleted_here_and_given_a_child_there_returns_until_that_child_goes(apart: Sites) -> None:
    apart.run(HEADQUARTERS, f"INSERT INTO {TABLE} VALUES (7, 'x', 1, '', 1, 'USD')")
    meet(apart)
    apart.stack.supervisor.stop_programs(names(apart.stack.config, "apply"))
    apart.run(HEADQUARTERS, f"DELETE FROM {TABLE} WHERE id = 7")
    apart.run(BRANCH, "INSERT INTO public.visit VALUES (1, 7)")
    meet(apart)
    assert all(apart.run(site, f"SELECT 1 FROM {TABLE} WHERE id = 7") for site in apart.names)
    apart.run(HEADQUARTERS, "DELETE FROM public.visit WHERE id = 1")
    for site in apart.names:
        query = f"SELECT 1 FROM {TABLE} WHERE id = 7"
        until(f"the parent is gone at {site}", lambda site=site, query=query: not apart.run(site, query))  # type: ignore[misc]
    apart.wait_and_verify()

"""The rules whose state is more than one value's, on running sites: what both sites did during a cut counts."""

import pytest

from deploy.local.programs import names
from tests.stack.proof.sites import Sites

HERE, THERE = "taipei", "us"
TABLE = "public.stock"
RULES = f"""
[table."{TABLE}"]
owner = "owner"
[table."{TABLE}".column]
amount = "counter"
tags = "set"
numbers = "set"
note = "append"
last_seen = "greatest"
first_seen = "least"
serial = "frozen"
price = {{ rule = "latest", owned_by.{HERE} = {{ rule = "site", site = "{HERE}" }} }}
"""
CREATE = f"""
CREATE TABLE {TABLE} (id int PRIMARY KEY, owner text NOT NULL, amount numeric(12,2) NOT NULL DEFAULT 10,
  tags text[] NOT NULL DEFAULT '{{new}}', numbers int[] NOT NULL DEFAULT '{{}}', note text, last_seen date,
  first_seen timestamptz, serial text, price int)"""


def concurrently(sites: Sites, key: int, *writes: tuple[str, str], owner: str = HERE) -> None:
    """Make a row, then write to it at several sites while nothing is applied, then let all meet."""
    sites.run(HERE, f"INSERT INTO {TABLE} (id, owner) VALUES (%s, %s)", (key, owner))
    sites.converge(TABLE)
    daemons = names(sites.stack.config, "apply")
    sites.stack.supervisor.stop_programs(daemons)
    for site, assignment in writes:
        sites.run(site, f"UPDATE {TABLE} SET {assignment} WHERE id = {key}")
    sites.stack.supervisor.start_programs(daemons)
    sites.converge(TABLE)


def everywhere(sites: Sites, key: int, column: str) -> object:
    """The value that all sites show."""
    values = [sites.value(site, f"SELECT {column} FROM {TABLE} WHERE id = {key}") for site in sites.names]
    assert all(value == values[0] for value in values), values
    return values[0]


CASES: list[tuple[str, list[tuple[str, str]], object]] = [
    ("amount::text", [(HERE, "amount = amount + 5"), (THERE, "amount = amount - 2.50")], "12.50"),
    ("amount::text", [(HERE, "amount = 0"), (THERE, "amount = amount + 1"), (THERE, "amount = amount + 1")], "2.00"),
    ("tags", [(HERE, "tags = tags || '{b,a}'"), (THERE, "tags = '{c}'")], ["a", "b", "c"]),
    ("tags", [(HERE, "tags = '{}'"), (THERE, "tags = tags || '{名}'")], ["名"]),
    ("numbers", [(HERE, "numbers = '{10,9}'"), (THERE, "numbers = '{-1,9}'")], [-1, 9, 10]),
    ("note", [(HERE, "note = 'one '"), (THERE, "note = 'two '"), (HERE, "note = note || 'more '")], "one two more "),
    ("last_seen::text", [(HERE, "last_seen = '2026-05-02'"), (THERE, "last_seen = '2026-05-01'")], "2026-05-02"),
    ("first_seen < '2026-05-02Z'", [(HERE, "first_seen = '2026-05-01Z'"), (THERE, "first_seen = '2026-05-03Z'")], True),
    ("serial", [(HERE, "serial = 'first'"), (THERE, "serial = 'second'")], "first"),
    ("price", [(HERE, "price = 1"), (THERE, "price = 2")], 1),
]


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{case[0]}-{n}" for n, case in enumerate(CASES)])
def test_what_was_written_at_both_sites_counts(sites: Sites, number: int) -> None:
    column, writes, value = CASES[number]
    concurrently(sites, number, *writes)
    assert everywhere(sites, number, column) == value


def test_a_rule_that_differs_by_owner_is_that_of_the_rows_owner(sites: Sites) -> None:
    concurrently(sites, 100, (HERE, "price = 1"), (THERE, "price = 2"), owner=THERE)
    assert everywhere(sites, 100, "price") == 2, "here it follows latest"


def test_what_was_seen_may_be_written_again_whatever_the_rule(sites: Sites) -> None:
    concurrently(sites, 101, (HERE, "amount = 3, tags = '{a}', note = 'x', last_seen = '2026-05-02'"))
    sites.run(
        THERE, f"UPDATE {TABLE} SET amount = 4, tags = '{{b}}', note = 'y', last_seen = '2026-05-01' WHERE id = 101"
    )
    sites.converge(TABLE)
    columns = "(amount::text, tags::text, note, last_seen::text)::text"
    assert everywhere(sites, 101, columns) == "(4.00,{b},y,2026-05-01)"


def test_a_row_that_comes_back_brings_its_counts(sites: Sites) -> None:
    sites.run(HERE, f"INSERT INTO {TABLE} (id, owner) VALUES (102, %s)", (HERE,))
    sites.converge(TABLE)
    sites.run(THERE, f"UPDATE {TABLE} SET amount = amount + 1 WHERE id = 102")
    sites.converge(TABLE)
    daemons = names(sites.stack.config, "apply")
    sites.stack.supervisor.stop_programs(daemons)
    sites.run(HERE, f"DELETE FROM {TABLE} WHERE id = 102")
    sites.run(THERE, f"UPDATE {TABLE} SET amount = amount + 2 WHERE id = 102")
    sites.stack.supervisor.start_programs(daemons)
    sites.converge(TABLE)
    assert everywhere(sites, 102, "amount::text") == "13.00"
    sites.wait_and_verify()

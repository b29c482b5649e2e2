"""What an operator does about changes that one of four sites cannot take, with the commands; and the record of it."""

import json
from typing import Any

import pytest

from tests.stack.proof.sites import Sites, until

AUTHOR, REFUSER = "taipei", "us"
TABLE = "requests.stock"


@pytest.fixture(scope="module")
def table(four_sites: Sites) -> str:
    four_sites.everywhere("CREATE SCHEMA requests; CREATE TABLE requests.stock (id int PRIMARY KEY, n int, note text)")
    four_sites.add_tables(TABLE)
    four_sites.run(AUTHOR, "INSERT INTO requests.stock VALUES (1, 1, 'a'), (2, 2, 'b')")
    four_sites.converge(TABLE)
    four_sites.run(REFUSER, "ALTER TABLE requests.stock ADD CONSTRAINT small CHECK (n < 100)")
    return TABLE


def parked(sites: Sites, key: int) -> int:
    """Wait until a change of this row is set aside, and return the id that the command tells."""

    def found() -> int | None:
        told = json.loads(sites.replication("parked", "--site", REFUSER, "--json").stdout)[REFUSER]
        ids: list[int] = [one["id"] for one in told if one["table"] == TABLE and one["key"] == [str(key)]]
        return ids[0] if ids else None

    return until("the change is set aside", found)  # type: ignore[return-value]


def ask(sites: Sites, *arguments: str) -> tuple[int, str]:
    action, *rest = arguments
    done = sites.replication(action, "--site", REFUSER, *rest)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, done.stdout.strip()


def row(sites: Sites, site: str, key: int) -> list[Any]:
    return sites.run(site, "SELECT n, note FROM requests.stock WHERE id = %s", (key,))


def test_an_edit_here_holds_at_every_site_and_is_no_conflict(sites: Sites, table: str) -> None:
    sites.run(AUTHOR, "UPDATE requests.stock SET n = 500, note = 'large' WHERE id = 1")
    change = str(parked(sites, 1))
    assert ask(sites, "retry", change) == (1, "us: waits: refused: 23514: small")
    assert ask(sites, "edit", change, "--set", "n=100")[0] == 1, "the other value is refused, too"
    assert ask(sites, "edit", change, "--set", "n=50", "--why", "a typo in Taipei") == (0, "us: taken")
    sites.converge(table)
    assert [row(sites, site, 1) for site in sites.names] == [[(50, "large")]] * 4
    conflicts = "SELECT count(*) FROM kuroshio.conflict WHERE relname = 'stock'"
    assert [sites.value(site, conflicts) for site in sites.names] == [0] * 4
    told = sites.replication("log", "--site", REFUSER).stdout
    assert "edit requests.stock (1), set n, because: a typo in Taipei: taken" in told
    assert sites.replication("retry", "--site", REFUSER, change).returncode == 2, "it does not wait any more"


def test_a_new_row_that_is_refused_is_edited_and_arrives_everywhere(sites: Sites, table: str) -> None:
    sites.run(AUTHOR, "INSERT INTO requests.stock VALUES (3, 700, 'new')")
    assert ask(sites, "edit", str(parked(sites, 3)), "--set", "n=70") == (0, "us: taken")
    sites.converge(table)
    assert row(sites, AUTHOR, 3) == [(70, "new")]


def test_what_is_discarded_is_kept_on_record_and_can_be_brought_back(sites: Sites, table: str) -> None:
    sites.run(AUTHOR, "UPDATE requests.stock SET n = 900 WHERE id = 2")
    change = str(parked(sites, 2))
    refused = sites.replication("discard", "--site", REFUSER, change)
    assert refused.returncode == 2, "without a reason nothing is discarded"
    assert ask(sites, "discard", change, "--why", "not for this warehouse") == (0, "us: discarded")
    waited = sites.replication("wait", "--timeout", "60")
    assert waited.returncode == 0, waited.stderr
    verified = sites.replication("verify", "--json")
    assert verified.returncode == 1, "the row differs, and verify says so"
    assert "stock" in verified.stdout
    (deed,) = [
        one
        for one in json.loads(sites.replication("log", "--json", "--site", REFUSER).stdout)[REFUSER]
        if one["outcome"] == "discarded"
    ]
    assert (deed["table"], deed["why"]) == (TABLE, "not for this warehouse")
    sites.run(REFUSER, "ALTER TABLE requests.stock DROP CONSTRAINT small")
    assert ask(sites, "restore", deed["id"]) == (0, "us: restored")
    sites.converge(table)
    assert row(sites, REFUSER, 2) == [(900, "b")]

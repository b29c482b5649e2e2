"""Rules that are changed at one site after another, on running sites, while people write and lines are cut (P13)."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local.programs import names
from deploy.local.wan.client import Lines
from tests.stack.proof.sites import Sites, running_sites, until

TAIPEI, US, KAOHSIUNG = "taipei", "us", "kaohsiung"
TABLE = "public.account"
HOUSE, GUEST = "public.house", "public.guest"
WON = f"""
[table."{HOUSE}"]
delete = "wins"
[table."{GUEST}"]
unique.guest_mail = "mark"
parent.guest_house_id_fkey = "falls"
"""
LOST = f"""
[table."{HOUSE}"]
delete = "loses"
[table."{GUEST}"]
unique.guest_mail = "hide"
parent.guest_house_id_fkey = "returns"
"""
OLD = f"""
{WON}
[table."{TABLE}"]
[table."{TABLE}".column]
credit = {{ rule = "site", site = "{TAIPEI}" }}
points = "counter"
"""
NEW = f"""
{WON}
[table."{TABLE}"]
[table."{TABLE}".column]
credit = {{ rule = "site", site = "{US}", generation = 2 }}
points = {{ rule = "latest", generation = 2, was = "counter" }}
stock = {{ rule = "counter", generation = 2, was = "latest" }}
labels = {{ rule = "set", generation = 2, was = "latest" }}
note = {{ rule = "append", generation = 2, was = "latest" }}
"""
CREATE = f"""
CREATE TABLE {TABLE} (id int PRIMARY KEY, credit int, points int NOT NULL DEFAULT 0,
  stock numeric(12,2) NOT NULL DEFAULT 10, labels text[] NOT NULL DEFAULT '{{new}}', note text NOT NULL DEFAULT '',
  owner text);
CREATE TABLE {HOUSE} (id int PRIMARY KEY, name text);
CREATE TABLE {GUEST} (id int PRIMARY KEY, mail text, house_id int REFERENCES {HOUSE});
CREATE UNIQUE INDEX guest_mail ON {GUEST} (mail)"""
ROWS = 40
WRITES = (
    "credit = coalesce(credit, 0) + 1",
    "points = points + 1",
    "stock = stock + 1",
    "labels = array_append(labels, 'at ' || %(n)s)",
    "note = note || 'x'",
)


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    with running_sites(tmp_path_factory.mktemp("changing"), (TAIPEI, US, KAOHSIUNG), OLD, CREATE) as sites:
        sites.run(TAIPEI, f"INSERT INTO {TABLE} (id) SELECT generate_series(1, {ROWS})")
        sites.converge(TABLE)
        yield sites


def rules_file(sites: Sites) -> Path:
    [file] = (sites.stack.config.directory / "rules").glob("*.toml")
    return file


def change_at(sites: Sites, site: str, *tables: str) -> None:
    """What an operator does at a site where the new files are: the programs notice, and read them."""
    done = sites.replication("add-table", *(tables or [TABLE]), "--site", site)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def people_at_work(sites: Sites) -> Iterator[None]:
    """Somebody at each site writes to one row after another."""
    ended, faults = threading.Event(), list[BaseException]()

    def work(site: str) -> None:
        try:
            with sites.connect(site) as session:
                number = sites.names.index(site)
                while not ended.wait(0.02):
                    number += 1
                    session.execute(
                        f"UPDATE {TABLE} SET {WRITES[number % len(WRITES)]} WHERE id = %(id)s".encode(),
                        {"id": number % (ROWS // 2) + 1, "n": str(number % 7)},
                    )
        except BaseException as fault:
            faults.append(fault)
            raise

    threads = [threading.Thread(target=work, args=(site,)) for site in sites.names]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(10)
    assert not faults


def row(sites: Sites, site: str, key: int) -> dict[str, object]:
    columns = ("credit", "points", "stock::text", "labels", "note")
    [found] = sites.run(site, f"SELECT {', '.join(columns)} FROM {TABLE} WHERE id = {key}")
    return dict(zip(("credit", "points", "stock", "labels", "note"), found, strict=True))


def is_told(sites: Sites, reader: str, origin: str, words: str) -> bool:
    """Whether a reader has said these words about why it does not read an origin."""
    return words in str(sites.value(reader, "SELECT reason FROM kuroshio.reading WHERE origin = %s", (origin,)))


def test_the_rules_change_at_one_site_after_another_while_people_write(sites: Sites) -> None:
    first, second = ROWS - 1, ROWS
    sites.stack.wan.cut(Lines(site=US))
    try:
        change_the_rules(sites, first, second)
    finally:
        sites.stack.wan.heal()
    sites.converge(TABLE)
    require_end(sites, first, second)


def change_the_rules(sites: Sites, first: int, second: int) -> None:
    """At Taipei, at the US site that is cut off, and at Kaohsiung; the line heals while people still write."""
    with people_at_work(sites):
        rules_file(sites).write_text(NEW)
        change_at(sites, TAIPEI)
        sites.run(TAIPEI, f"UPDATE {TABLE} SET stock = stock + 5 WHERE id = {first}")
        until("Kaohsiung waits for the rules", lambda: is_told(sites, KAOHSIUNG, TAIPEI, "never had"))
        # Written under the old rules, and late: of what Taipei has begun to count it is not a part.
        sites.run(KAOHSIUNG, f"UPDATE {TABLE} SET stock = 77 WHERE id = {first}")
        # Taipei's word counted for more under the old rules, and the US site's counts under the new ones.
        sites.run(KAOHSIUNG, f"UPDATE {TABLE} SET credit = 8 WHERE id = {second}")
        change_at(sites, US)
        sites.run(US, f"UPDATE {TABLE} SET credit = 7 WHERE id = {second}")
        sites.run(TAIPEI, f"UPDATE {TABLE} SET credit = 9 WHERE id = {second}")
        sites.run(US, f"UPDATE {TABLE} SET stock = stock - 1 WHERE id = {first}")
        time.sleep(1)
        change_at(sites, KAOHSIUNG)
        time.sleep(1)
        sites.stack.wan.heal()
        time.sleep(2)


def require_end(sites: Sites, first: int, second: int) -> None:
    for site in sites.names:
        assert row(sites, site, first)["stock"] == "14.00", "10, and 5 more, and 1 less"
        assert row(sites, site, second)["credit"] == 7
        assert sites.parked(site) == []
    recorded = "SELECT winner_value, loser_value, rule FROM kuroshio.conflict WHERE key = %s AND column_name = %s"
    assert ("15.00", "77.00", "generation") in sites.run(TAIPEI, recorded, ([str(first)], "stock"))
    assert ("7", "8", "generation") in sites.run(US, recorded, ([str(second)], "credit"))
    sites.wait_and_verify()


def test_what_is_written_under_rules_that_a_site_does_not_have_waits_in_the_open(sites: Sites) -> None:
    """Pitfall P13: a site that meets another version of the rules waits for it, and does not guess."""
    key = ROWS + 1
    sites.run(TAIPEI, f"INSERT INTO {TABLE} (id) VALUES ({key})")
    sites.converge(TABLE)
    rules = rules_file(sites)
    rules.write_text(rules.read_text() + f'owner = {{ rule = "site", site = "{TAIPEI}" }}\n')
    sites.stack.stop(f"{TAIPEI}-capture")
    sites.stack.start(f"{TAIPEI}-capture")
    sites.run(TAIPEI, f"UPDATE {TABLE} SET credit = 7 WHERE id = {key}")
    until("the reader waits", lambda: is_told(sites, US, TAIPEI, "put the same files into sitecfg/rules"))
    assert row(sites, US, key)["credit"] is None
    for site in sites.names:
        sites.stack.stop(f"{site}-apply")
        sites.stack.start(f"{site}-apply")
    sites.converge(TABLE)
    assert all(row(sites, site, key)["credit"] == 7 for site in sites.names)


def meanwhile(sites: Sites, *writes: tuple[str, str]) -> None:
    """Write at several sites while nothing is applied, then let all meet."""
    daemons = names(sites.stack.config, "apply")
    sites.stack.supervisor.stop_programs(daemons)
    for site, statement in writes:
        sites.run(site, statement)
    sites.stack.supervisor.start_programs(daemons)
    sites.wait_and_verify()


def shown(sites: Sites, site: str) -> tuple[object, ...]:
    houses = [key for (key,) in sites.run(site, f"SELECT id FROM {HOUSE} ORDER BY id")]
    return houses, sites.run(site, f"SELECT id, left(mail, 4), house_id FROM {GUEST} ORDER BY id")


def test_what_follows_from_the_rows_is_derived_anew_when_the_rules_for_it_change(sites: Sites) -> None:
    """A row that lost against its delete, one that fell with its parent and one that shows a mark."""
    sites.run(TAIPEI, f"INSERT INTO {HOUSE} VALUES (1, 'old'), (2, 'old'), (3, 'old')")
    sites.converge(HOUSE)
    meanwhile(
        sites,
        (TAIPEI, f"DELETE FROM {HOUSE}"),
        (US, f"UPDATE {HOUSE} SET name = 'new' WHERE id = 1; INSERT INTO {GUEST} VALUES (1, 'a@b', NULL)"),
        (KAOHSIUNG, f"INSERT INTO {GUEST} VALUES (2, 'a@b', NULL), (3, 'c@d', 2)"),
    )
    before: tuple[object, ...] = [], [(1, "a@b", None), (2, "a@b~", None)]
    until("the houses are gone", lambda: all(shown(sites, site) == before for site in sites.names))
    graves = "SELECT key FROM kuroshio.tombstone WHERE relname = 'house' ORDER BY key"
    kept = [(["1"],), (["2"],)]
    until("what no rule brings back is forgotten", lambda: all(sites.run(site, graves) == kept for site in sites.names))
    rules = rules_file(sites)
    rules.write_text(rules.read_text().replace(WON, LOST))
    for site in (TAIPEI, US, KAOHSIUNG):
        change_at(sites, site, HOUSE, GUEST)
        sites.run(site, f"INSERT INTO {HOUSE} VALUES ({sites.names.index(site) + 4}, 'while they change')")
    after = [1, 2, 4, 5, 6], [(1, "a@b", None), (3, "c@d", 2)]
    until("they are back", lambda: all(shown(sites, site) == after for site in sites.names))
    sites.wait_and_verify()
    sites.converge(HOUSE, GUEST)

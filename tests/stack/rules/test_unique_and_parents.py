"""Scenarios 9 and 10 on running sites: rows that claim one key, and children whose parent was deleted elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from deploy.local.programs import names
from tests.stack.proof.sites import Sites, until

HERE, THERE, THIRD = SITES = "taipei", "us", "kaohsiung"
PERSON, TAG, LINK, CITY, TASK = TABLES = "public.person", "public.tag", "public.link", "public.city", "public.task"
RULES = f"""
[table."{PERSON}"]
unique.person_mail = "mark"
unique.person_tax = "null"
parent.person_city_id_fkey = "null"
[table."{TAG}"]
[table."{CITY}"]
[table."{LINK}"]
parent.link_person_id_fkey = "falls"
[table."{TASK}"]
"""
CREATE = f"""
CREATE TABLE {CITY} (id int PRIMARY KEY, name text);
CREATE TABLE {PERSON} (id int PRIMARY KEY, mail varchar(40), tax text, note text,
  city_id int REFERENCES {CITY} ON DELETE SET NULL);
CREATE UNIQUE INDEX person_mail ON {PERSON} (lower(mail));
ALTER TABLE {PERSON} ADD CONSTRAINT person_tax UNIQUE (tax) DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE {TAG} (id int PRIMARY KEY, name text, part int, UNIQUE NULLS NOT DISTINCT (name, part));
CREATE TABLE {LINK} (id int PRIMARY KEY, person_id int NOT NULL REFERENCES {PERSON} ON DELETE CASCADE,
  tag_id int NOT NULL REFERENCES {TAG} ON DELETE RESTRICT, UNIQUE (person_id, tag_id));
CREATE TABLE {TASK} (id int PRIMARY KEY, person_id int REFERENCES {PERSON} ON DELETE CASCADE)"""


def at_first(sites: Sites, statements: str) -> None:
    sites.run(HERE, statements)
    sites.converge(*TABLES)


def meanwhile(sites: Sites, *writes: tuple[str, str]) -> None:
    """Write at several sites while nothing is applied, then let all meet."""
    daemons = names(sites.stack.config, "apply")
    sites.stack.supervisor.stop_programs(daemons)
    for site, statements in writes:
        sites.run(site, statements)
    sites.stack.supervisor.start_programs(daemons)
    sites.wait_and_verify()
    sites.converge(*TABLES)
    assert all(not sites.parked(site) for site in sites.names)


def everywhere(sites: Sites, query: str) -> list[tuple[object, ...]]:
    """The rows that all sites show."""
    until("all sites show the same", lambda: len({str(sites.run(site, query)) for site in sites.names}) == 1, 20)
    return sites.run(HERE, query)


def recorded(sites: Sites, table: str, key: int) -> set[tuple[object, ...]]:
    query = "SELECT type, rule, winner, loser FROM kuroshio.conflict WHERE relname = %s AND key = %s"
    return {row for site in sites.names for row in sites.run(site, query, (table.partition(".")[2], [str(key)]))}


def test_two_people_one_address(sites: Sites) -> None:
    meanwhile(
        sites,
        (HERE, f"INSERT INTO {PERSON} (id, mail) VALUES (1, 'chen@example.com')"),
        (THERE, f"INSERT INTO {PERSON} (id, mail) VALUES (2, 'Chen@example.com')"),
        (THIRD, f"INSERT INTO {PERSON} (id, mail) VALUES (3, 'chen@Example.com')"),
    )
    shown = everywhere(sites, f"SELECT mail FROM {PERSON} WHERE id IN (1, 2, 3) ORDER BY id")
    assert shown[0] == ("chen@example.com",)
    assert all("~" in str(mail) for (mail,) in shown[1:])
    found = recorded(sites, PERSON, 2)
    assert {row[:2] for row in found} == {("multiple_unique_conflicts", "unique.person_mail = mark")}
    sites.run(THIRD, f"DELETE FROM {PERSON} WHERE id = 1")
    mails = f"SELECT mail FROM {PERSON} WHERE id IN (1, 2, 3) ORDER BY id"
    until("the next in age is shown", lambda: all(sites.run(s, mails)[0] == ("Chen@example.com",) for s in SITES))
    sites.run(HERE, f"UPDATE {PERSON} SET mail = 'third@example.com' WHERE id = 3")
    sites.wait_and_verify()
    assert everywhere(sites, mails) == [("Chen@example.com",), ("third@example.com",)]


def test_two_keys_against_two_rows_at_once(sites: Sites) -> None:
    at_first(sites, f"INSERT INTO {PERSON} (id, mail, tax) VALUES (11, 'a@x', 't1'), (12, 'b@x', 't2')")
    meanwhile(
        sites,
        (HERE, f"INSERT INTO {PERSON} (id, mail, tax) VALUES (13, 'c@x', 't3')"),
        (THERE, f"UPDATE {PERSON} SET mail = 'c@x' WHERE id = 11; UPDATE {PERSON} SET tax = 't3' WHERE id = 12"),
    )
    shown = everywhere(sites, f"SELECT id, mail, tax FROM {PERSON} WHERE id IN (11, 12, 13) ORDER BY id")
    assert shown[1:] == [(12, "b@x", None), (13, "c@x", "t3")]
    assert str(shown[0][1]).startswith("c@x~")


def test_two_values_swapped_in_one_transaction(sites: Sites) -> None:
    at_first(sites, f"INSERT INTO {PERSON} (id, mail, tax) VALUES (21, 'a@y', 'y1'), (22, 'b@y', 'y2')")
    swap = f"UPDATE {PERSON} SET tax = CASE tax WHEN 'y1' THEN 'y2' ELSE 'y1' END WHERE id IN (21, 22)"
    mails = f"""UPDATE {PERSON} SET mail = 'z@y' WHERE id = 21; UPDATE {PERSON} SET mail = 'a@y' WHERE id = 22;
        UPDATE {PERSON} SET mail = 'b@y' WHERE id = 21"""
    meanwhile(
        sites, (HERE, f"BEGIN; {swap}; {mails}; COMMIT"), (THERE, f"UPDATE {PERSON} SET note = 'n' WHERE id = 21")
    )
    shown = everywhere(sites, f"SELECT id, mail, tax, note FROM {PERSON} WHERE id IN (21, 22) ORDER BY id")
    assert shown == [(21, "b@y", "y2", "n"), (22, "a@y", "y1", None)]


def test_nulls_that_are_not_distinct_and_a_row_that_waits_hidden(sites: Sites) -> None:
    meanwhile(
        sites,
        (HERE, f"INSERT INTO {TAG} VALUES (1, 'vip', NULL)"),
        (THERE, f"INSERT INTO {TAG} VALUES (2, 'vip', NULL)"),
    )
    assert everywhere(sites, f"SELECT id FROM {TAG} WHERE name = 'vip'") == [(1,)]
    assert everywhere(sites, "SELECT key, hidden FROM kuroshio.tombstone WHERE relname = 'tag'") == [(["2"], "unique")]
    meanwhile(
        sites,
        (HERE, f"DELETE FROM {TAG} WHERE id = 1"),
        (THIRD, f"INSERT INTO {TAG} VALUES (3, 'other', 1)"),
    )
    assert everywhere(sites, f"SELECT id FROM {TAG} WHERE name = 'vip'") == [(2,)]


def test_the_holder_lets_go_while_another_claims(sites: Sites) -> None:
    at_first(sites, f"INSERT INTO {PERSON} (id, mail) VALUES (31, 'held@z')")
    meanwhile(
        sites,
        (
            HERE,
            f"UPDATE {PERSON} SET mail = 'new@z' WHERE id = 31; INSERT INTO {PERSON} (id, mail) VALUES (32, 'held@z')",
        ),
        (THERE, f"DELETE FROM {PERSON} WHERE id = 31; INSERT INTO {PERSON} (id, mail) VALUES (33, 'held@z')"),
    )
    shown = everywhere(sites, f"SELECT id, mail FROM {PERSON} WHERE id IN (31, 32, 33) ORDER BY id")
    assert [(one, mail) for one, mail in shown if "~" not in str(mail)] == [(32, "held@z")]
    assert [one for one, mail in shown if "~" in str(mail)] == [33]


def test_one_link_made_twice(sites: Sites) -> None:
    at_first(sites, f"INSERT INTO {PERSON} (id) VALUES (41); INSERT INTO {TAG} VALUES (41, 'gold', 1)")
    meanwhile(
        sites,
        (HERE, f"INSERT INTO {LINK} VALUES (1, 41, 41)"),
        (THERE, f"INSERT INTO {LINK} VALUES (2, 41, 41)"),
    )
    assert everywhere(sites, f"SELECT id FROM {LINK} WHERE person_id = 41") == [(1,)]
    sites.run(THERE, f"DELETE FROM {LINK} WHERE id = 1")
    until("the other is shown", lambda: all(sites.run(s, f"SELECT id FROM {LINK}") == [(2,)] for s in SITES))


def test_a_parent_deleted_here_and_given_a_child_there(sites: Sites) -> None:
    """falls, null and returns, over CASCADE, SET NULL and RESTRICT: no orphan at rest."""
    at_first(
        sites,
        f"INSERT INTO {CITY} VALUES (1, 'Tainan'); INSERT INTO {PERSON} (id) VALUES (51), (52), (53);"
        f"INSERT INTO {TAG} VALUES (51, 'new', 51)",
    )
    meanwhile(
        sites,
        (HERE, f"DELETE FROM {PERSON} WHERE id IN (51, 52); DELETE FROM {TAG} WHERE id = 51; DELETE FROM {CITY}"),
        (THERE, f"INSERT INTO {LINK} VALUES (51, 53, 51)"),
        (THERE, f"INSERT INTO {TASK} VALUES (51, 51); UPDATE {PERSON} SET city_id = 1 WHERE id = 53"),
        (THIRD, f"INSERT INTO {TAG} VALUES (52, 'old', 52); INSERT INTO {LINK} VALUES (52, 52, 52)"),
    )
    assert everywhere(sites, f"SELECT id FROM {PERSON} WHERE id IN (51, 52) ORDER BY 1") == [(51,)], "its task needs it"
    assert everywhere(sites, f"SELECT id FROM {TAG} WHERE id = 51") == [(51,)], "its link needs it"
    assert everywhere(sites, f"SELECT id FROM {LINK} WHERE id = 52") == [], "it fell with its person"
    assert everywhere(sites, f"SELECT city_id FROM {PERSON} WHERE id = 53") == [(None,)]
    assert everywhere(sites, f"SELECT id FROM {CITY}") == []
    for site in SITES:
        for child, column, parent in ((LINK, "person_id", PERSON), (LINK, "tag_id", TAG), (TASK, "person_id", PERSON)):
            orphans = f"SELECT {column} FROM {child} EXCEPT SELECT id FROM {parent}"
            assert sites.run(site, orphans) == [], (site, child)
    sites.run(THIRD, f"INSERT INTO {CITY} VALUES (1, 'Tainan again')")
    until("the reference is there again", lambda: all(_city(sites, site) == 1 for site in SITES))
    sites.run(HERE, f"DELETE FROM {TASK} WHERE id = 51")
    query = f"SELECT id FROM {PERSON} WHERE id = 51"
    until("it goes when its last child does", lambda: not any(sites.run(site, query) for site in SITES))
    sites.wait_and_verify()


def test_what_was_deleted_with_a_parent_comes_back_with_it(sites: Sites) -> None:
    """PostgreSQL deleted the tasks with the person (pitfall P7)."""
    at_first(sites, f"INSERT INTO {PERSON} (id) VALUES (61); INSERT INTO {TASK} VALUES (61, 61), (62, 61)")
    meanwhile(
        sites,
        (HERE, f"DELETE FROM {TASK} WHERE id = 62; DELETE FROM {PERSON} WHERE id = 61"),
        (THERE, f"INSERT INTO {TASK} VALUES (63, 61)"),
    )
    tasks = f"SELECT id FROM {TASK} WHERE person_id = 61 ORDER BY id"
    assert everywhere(sites, tasks) == [(61,), (63,)], "who was deleted by a person stays so"
    sites.run(THIRD, f"DELETE FROM {TASK} WHERE id = 63")
    rest = f"{tasks.partition(' ORDER')[0]} UNION ALL SELECT id FROM {PERSON} WHERE id = 61"
    until("they go together", lambda: not any(sites.run(site, rest) for site in SITES))
    sites.wait_and_verify()


@contextmanager
def disputed_days(sites: Sites, days: int) -> Iterator[None]:
    """All sites keep for so long what fell or was changed while it was deleted."""
    files = {file: file.read_text() for file in sites.stack.config.directory.glob("sites/*.toml")}
    daemons = names(sites.stack.config, "apply")
    try:
        for file, text in files.items():
            file.write_text(f"{text}[limits]\ndisputed_days = {days}\n")
        sites.stack.supervisor.stop_programs(daemons)
        sites.stack.supervisor.start_programs(daemons)
        yield
    finally:
        for file, text in files.items():
            file.write_text(text)


def test_what_fell_is_deleted_at_every_site_when_its_time_has_passed(sites: Sites) -> None:
    at_first(sites, f"INSERT INTO {PERSON} (id) VALUES (71); INSERT INTO {TAG} VALUES (71, 'late', 71)")
    meanwhile(
        sites,
        (HERE, f"DELETE FROM {PERSON} WHERE id = 71"),
        (THIRD, f"INSERT INTO {LINK} VALUES (71, 71, 71)"),
    )
    link = "SELECT hidden, referential FROM kuroshio.tombstone WHERE relname = 'link' AND key = '{71}'"
    assert everywhere(sites, link) == [("fallen", False)]
    with disputed_days(sites, 0):
        gone = [("", True)]
        until("it is deleted", lambda: all(sites.run(site, link) in (gone, []) for site in SITES), explain=sites.logs)
    sites.wait_and_verify()
    sites.run(THIRD, f"INSERT INTO {PERSON} (id) VALUES (71)")
    sites.wait_and_verify()
    assert everywhere(sites, f"SELECT id FROM {LINK} WHERE id = 71") == []


def _city(sites: Sites, site: str) -> object:
    return sites.value(site, f"SELECT city_id FROM {PERSON} WHERE id = 53")

"""Sites that change their schema on different days, on running sites: nothing stops, and all is there in the end
(scenario 14)."""

from tests.stack.proof.sites import Sites, until

TAIPEI, US, KAOHSIUNG = "taipei", "us", "kaohsiung"
TABLE = "public.employee"
RULES = f'[table."{TABLE}"]\nrenamed = {{ name = "full_name" }}\n'
CREATE = f"CREATE TABLE {TABLE} (id int PRIMARY KEY, name text, phone text, visits smallint NOT NULL DEFAULT 0)"


def row(sites: Sites, site: str, key: int, columns: str) -> tuple[object, ...]:
    return next(iter(sites.run(site, f"SELECT {columns} FROM {TABLE} WHERE id = {key}")), ())


def reaches(sites: Sites, site: str, key: int, columns: str, values: tuple[object, ...]) -> None:
    what = f"{values} is at {site}"
    until(what, lambda: row(sites, site, key, columns) == values, 30, lambda: str(row(sites, site, key, columns)))


def waiting(sites: Sites, site: str) -> list[tuple[object, ...]]:
    return sites.run(site, "SELECT DISTINCT reason, detail FROM kuroshio.parked")


def test_a_column_added_on_different_days_has_its_values_everywhere(sites: Sites) -> None:
    sites.run(TAIPEI, f"INSERT INTO {TABLE} (id, name) VALUES (1, 'Chen'), (2, 'Lin')")
    sites.converge(TABLE)
    sites.run(TAIPEI, f"ALTER TABLE {TABLE} ADD COLUMN born date")
    sites.run(TAIPEI, f"UPDATE {TABLE} SET name = 'Chen Ming', born = '1990-05-01' WHERE id = 1")
    sites.run(TAIPEI, f"INSERT INTO {TABLE} (id, name, born) VALUES (3, 'Wang', '1980-01-31')")
    for site in (US, KAOHSIUNG):
        reaches(sites, site, 1, "name", ("Chen Ming",))
        reaches(sites, site, 3, "name", ("Wang",))
        assert waiting(sites, site) == [("schema", "this site's table has no column born yet")]
    sites.run(US, f"UPDATE {TABLE} SET phone = '1' WHERE id IN (1, 3)")
    reaches(sites, TAIPEI, 3, "phone, born::text", ("1", "1980-01-31"))
    sites.run(KAOHSIUNG, f"ALTER TABLE {TABLE} ADD COLUMN born date")
    reaches(sites, KAOHSIUNG, 3, "phone, born::text", ("1", "1980-01-31"))
    sites.run(KAOHSIUNG, f"UPDATE {TABLE} SET born = '1990-05-02' WHERE id = 1")
    reaches(sites, TAIPEI, 1, "born::text", ("1990-05-02",))
    sites.run(US, f"ALTER TABLE {TABLE} ADD COLUMN born date")
    reaches(sites, US, 1, "name, phone, born::text", ("Chen Ming", "1", "1990-05-02"))
    sites.converge(TABLE)
    sites.wait_and_verify()


def test_a_type_that_is_widened_on_different_days_takes_every_value_in_the_end(sites: Sites) -> None:
    sites.run(TAIPEI, f"INSERT INTO {TABLE} (id, name) VALUES (11, 'a'), (12, 'b')")
    sites.converge(TABLE)
    sites.run(TAIPEI, f"ALTER TABLE {TABLE} ALTER COLUMN visits TYPE bigint")
    sites.run(TAIPEI, f"UPDATE {TABLE} SET visits = 70000 WHERE id = 11")
    sites.run(TAIPEI, f"UPDATE {TABLE} SET visits = 5 WHERE id = 12")
    for site in (US, KAOHSIUNG):
        reaches(sites, site, 12, "visits", (5,))
        assert waiting(sites, site) == [("refused", "22003: NumericValueOutOfRange")]
        sites.run(site, f"ALTER TABLE {TABLE} ALTER COLUMN visits TYPE bigint")
        reaches(sites, site, 11, "visits", (70000,))
    sites.converge(TABLE)
    sites.wait_and_verify()


def test_a_column_renamed_on_different_days_stays_the_same_column(sites: Sites) -> None:
    sites.run(TAIPEI, f"INSERT INTO {TABLE} (id, name) VALUES (31, 'a'), (32, 'b'), (33, 'c')")
    sites.converge(TABLE)
    sites.run(TAIPEI, f"ALTER TABLE {TABLE} RENAME COLUMN name TO full_name")
    sites.run(TAIPEI, f"UPDATE {TABLE} SET full_name = 'from Taipei' WHERE id = 31")
    sites.run(US, f"UPDATE {TABLE} SET name = 'from the US' WHERE id = 32")
    sites.run(KAOHSIUNG, f"INSERT INTO {TABLE} (id, name) VALUES (34, 'new')")
    reaches(sites, US, 31, "name", ("from Taipei",))
    reaches(sites, TAIPEI, 32, "full_name", ("from the US",))
    reaches(sites, TAIPEI, 34, "full_name", ("new",))
    for site in (KAOHSIUNG, US):
        sites.run(site, f"ALTER TABLE {TABLE} RENAME COLUMN name TO full_name")
        sites.run(site, f"UPDATE {TABLE} SET full_name = 'from {site}' WHERE id = 33")
        reaches(sites, TAIPEI, 33, "full_name", (f"from {site}",))
    sites.converge(TABLE)
    assert [waiting(sites, site) for site in sites.names] == [[], [], []]
    sites.wait_and_verify()


def test_a_column_dropped_on_different_days_keeps_nobody_waiting(sites: Sites) -> None:
    sites.run(TAIPEI, f"INSERT INTO {TABLE} (id, full_name, phone) VALUES (21, 'a', '0')")
    sites.converge(TABLE)
    sites.run(US, f"ALTER TABLE {TABLE} DROP COLUMN phone")
    sites.run(TAIPEI, f"UPDATE {TABLE} SET full_name = 'b', phone = '1' WHERE id = 21")
    sites.run(KAOHSIUNG, f"INSERT INTO {TABLE} (id, full_name, phone) VALUES (22, 'c', '2')")
    reaches(sites, US, 21, "full_name", ("b",))
    reaches(sites, US, 22, "full_name", ("c",))
    sites.run(US, f"UPDATE {TABLE} SET full_name = 'd' WHERE id = 22")
    reaches(sites, TAIPEI, 22, "full_name, phone", ("d", "2"))
    for site in (TAIPEI, KAOHSIUNG):
        sites.run(site, f"ALTER TABLE {TABLE} DROP COLUMN phone")
    assert [waiting(sites, site) for site in sites.names] == [[], [], []]
    sites.wait_and_verify()

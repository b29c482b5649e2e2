"""What a site cannot take now: a deadlock is tried again; a row that it refuses is set aside and taken later."""

import random
import urllib.request

import psycopg
import pytest

from tests.stack.proof.sites import Sites, until

REFUSER, AUTHOR = "us", "taipei"
TABLES = ("parking.one", "parking.two")
BLOCKED = """
SELECT count(*) FROM pg_stat_activity WHERE application_name = 'kuroshio apply' AND wait_event_type = 'Lock'"""


@pytest.fixture(scope="module")
def tables(four_sites: Sites) -> tuple[str, ...]:
    for table in TABLES:
        four_sites.everywhere(
            f"CREATE SCHEMA IF NOT EXISTS parking; CREATE TABLE {table} (id int PRIMARY KEY, n int, note text)"
        )
    four_sites.add_tables(*TABLES)
    return TABLES


def metric(sites: Sites, site: str, name: str) -> float:
    url = f"http://127.0.0.1:{sites.stack.site(site).metrics.apply_port}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def refused(sites: Sites, site: str) -> list[tuple[int, str]]:
    """The keys that wait for a person, and why."""
    query = "SELECT key[1]::int, detail FROM kuroshio.parked WHERE reason = 'refused' ORDER BY 1"
    return [(key, detail) for key, detail in sites.run(site, query)]


def test_apply_gives_way_to_a_local_user_in_a_deadlock_and_tries_again(sites: Sites, tables: tuple[str, ...]) -> None:
    """Whoever closes the circle: the user's statements succeed."""
    for table in tables:
        sites.run(AUTHOR, f"INSERT INTO {table} VALUES (1, 0, '')")
    sites.converge(*tables)
    before = metric(sites, REFUSER, "kuroshio_apply_retries_total")
    with sites.connect(REFUSER) as local, local.transaction():
        local.execute("UPDATE parking.two SET note = 'local' WHERE id = 1")
        with sites.connect(AUTHOR) as remote, remote.transaction():
            remote.execute("UPDATE parking.one SET n = 7 WHERE id = 1")
            remote.execute("UPDATE parking.two SET n = 7 WHERE id = 1")
        until("apply waits for the local user", lambda: sites.value(REFUSER, BLOCKED))
        local.execute("UPDATE parking.one SET note = 'local' WHERE id = 1")
    sites.converge(*tables)
    assert metric(sites, REFUSER, "kuroshio_apply_retries_total") > before, "nobody had to give way"
    both = "SELECT n, note FROM parking.one WHERE id = 1 UNION ALL SELECT n, note FROM parking.two WHERE id = 1"
    assert sites.run(AUTHOR, both) == [(7, "local")] * 2


def test_rows_that_one_site_refuses_are_set_aside_and_taken_when_the_cause_is_mended(
    sites: Sites, tables: tuple[str, ...]
) -> None:
    others = [name for name in sites.names if name != REFUSER]
    sites.run(AUTHOR, "INSERT INTO parking.one SELECT g, 0, 'x' FROM generate_series(10, 19) g")
    sites.converge(*tables)
    sites.run(REFUSER, "ALTER TABLE parking.one ADD CONSTRAINT small CHECK (n < 100), ALTER note SET NOT NULL")
    sites.run(AUTHOR, "UPDATE parking.one SET n = CASE WHEN id % 2 = 0 THEN 500 ELSE 5 END WHERE id BETWEEN 10 AND 15")
    sites.run(AUTHOR, "UPDATE parking.one SET note = NULL WHERE id = 16")
    sites.run(AUTHOR, "INSERT INTO parking.one VALUES (20, 1, 'ok'), (21, 999, 'big'), (22, 2, 'ok')")
    sites.run("shanghai", "INSERT INTO parking.two VALUES (30, 1, 'another table goes on')")
    sites.converge("parking.one", sites=others)
    sites.converge("parking.two")
    wanted = [(10, "23514: small"), (12, "23514: small"), (14, "23514: small"), (16, "23502: NotNullViolation")]
    until(
        "the refused rows are set aside, and only these",
        lambda: refused(sites, REFUSER) == [*wanted, (21, "23514: small")],
        explain=lambda: str(refused(sites, REFUSER)),
    )
    assert sites.run(REFUSER, "SELECT id, n FROM parking.one WHERE id IN (11, 12, 20, 21) ORDER BY 1") == [
        (11, 5), (12, 0), (20, 1)]  # fmt: skip
    sites.run(AUTHOR, "UPDATE parking.one SET note = 'later' WHERE id = 12")
    sites.run(REFUSER, "ALTER TABLE parking.one DROP CONSTRAINT small, ALTER note DROP NOT NULL")
    sites.converge(*tables)
    until("nothing is set aside any more", lambda: not sites.parked(REFUSER))


def test_a_row_too_large_for_an_index_that_one_site_alone_has_does_not_stop_the_others(
    sites: Sites, tables: tuple[str, ...]
) -> None:
    """PostgreSQL reports it among its operational errors; time does not mend it."""
    sites.run(REFUSER, "CREATE INDEX wide ON parking.two (note)")
    wide = random.Random(1).randbytes(20_000).hex()
    sites.run(AUTHOR, "INSERT INTO parking.two VALUES (40, 0, %s)", (wide,))
    sites.run(AUTHOR, "INSERT INTO parking.two VALUES (41, 0, 'narrow')")
    until("the row behind it is there", lambda: sites.run(REFUSER, "SELECT 1 FROM parking.two WHERE id = 41"))
    until("the wide row is set aside", lambda: [key for key, _ in refused(sites, REFUSER)] == [40])
    sites.run(REFUSER, "DROP INDEX parking.wide")
    sites.converge(*tables)


def test_a_local_user_who_holds_a_row_makes_apply_wait_and_nothing_is_lost(
    sites: Sites, tables: tuple[str, ...]
) -> None:
    sites.run(AUTHOR, "INSERT INTO parking.one VALUES (50, 0, '')")
    sites.converge(*tables)
    with sites.connect(REFUSER) as local, local.transaction():
        local.execute("SELECT 1 FROM parking.one WHERE id = 50 FOR UPDATE")
        sites.run(AUTHOR, "UPDATE parking.one SET n = 1 WHERE id = 50")
        until("apply waits for the local user", lambda: sites.value(REFUSER, BLOCKED))
        with pytest.raises(psycopg.errors.LockNotAvailable):
            sites.run("us", "SELECT 1 FROM parking.one WHERE id = 50 FOR UPDATE NOWAIT")
        local.execute("UPDATE parking.one SET note = 'held' WHERE id = 50")
    sites.converge(*tables)
    assert sites.run(AUTHOR, "SELECT n, note FROM parking.one WHERE id = 50") == [(1, "held")]

"""A row that no message can hold: capture says which one it is, and the runbook's way out loses nothing."""

from psycopg.errors import ObjectInUse

from tests.stack.proof.sites import Sites, until

AUTHOR, TABLE = "kaohsiung", "public.document"
FENCED = "SELECT state = 'fenced' AND reason LIKE '%the row (1) of public.document%' FROM kuroshio.capture"


def test_a_row_that_is_too_large_is_named_and_nothing_is_lost_when_it_is_shortened(sites: Sites) -> None:
    sites.everywhere(f"CREATE TABLE {TABLE} (id int PRIMARY KEY, body text)")
    sites.add_tables(TABLE)
    sites.run(AUTHOR, f"INSERT INTO {TABLE} VALUES (0, 'before')")
    sites.run(AUTHOR, f"INSERT INTO {TABLE} VALUES (1, repeat('x', 50 << 20))")
    sites.run(AUTHOR, f"INSERT INTO {TABLE} VALUES (2, 'after')")
    until("capture names the row", lambda: sites.value(AUTHOR, FENCED), 60, sites.logs)
    sites.run(AUTHOR, f"UPDATE {TABLE} SET body = '' WHERE id = 1")
    until("the slot is dropped", lambda: dropped(sites), 30)
    rejoined = sites.replication("rejoin", AUTHOR)
    assert rejoined.returncode == 0, rejoined.stderr
    sites.wait_and_verify()
    for site in sites.names:
        assert sites.run(site, f"SELECT id, body FROM {TABLE} ORDER BY id") == [(0, "before"), (1, ""), (2, "after")]


def dropped(sites: Sites) -> bool:
    try:
        sites.run(AUTHOR, "SELECT pg_drop_replication_slot('kuroshio')")
    except ObjectInUse:
        return False
    return True

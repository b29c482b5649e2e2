"""A site is backed up and put back to a moment by the commands of BACKUP.md; it does not send before somebody looks."""

import re

import pytest

from tests.stack.installation.conftest import sql, words
from tests.stack.installation.machine import Machine
from tests.stack.installation.pages import blocks
from tests.stack.proof.sites import until

BACKED_UP, RESTORED, REPLICATION, BESIDE = (block.commands for block in blocks("BACKUP.md"))
SAID = "select coalesce(string_agg(said, ' ' order by id), '') from public.ledger"


@pytest.fixture(scope="module")
def site(hosts: dict[str, Machine]) -> Machine:
    host = hosts["us"]
    for name, machine in hosts.items():
        sql(machine, "create table public.ledger (id int primary key, said text)")
        machine.run(f"kuroshio replication add-table public.ledger --site {name}")
    return host


def at_peer(hosts: dict[str, Machine], said: str) -> None:
    until(f"the peer shows {said}", lambda: sql(hosts["taipei"], SAID) == said, 30, lambda: words(hosts["taipei"]))


def test_a_copy_beside_holds_what_the_site_holds(hosts: dict[str, Machine], site: Machine) -> None:
    sql(site, "insert into public.ledger values (1, 'before-the-backup')")
    assert "status: ok" in site.run(BACKED_UP)
    sql(site, "insert into public.ledger values (2, 'after-it')")
    sql(site, "select pg_switch_wal()")
    site.run("runuser -u postgres -- pgbackrest --stanza=kuroshio check")
    shown = site.run(BESIDE.replace("from public.customers_customer", "from public.ledger"), seconds=180)
    assert re.search(r"^\s+2$", shown, re.MULTILINE), shown
    at_peer(hosts, "before-the-backup after-it")


def test_a_site_that_is_put_back_to_a_moment_holds_what_it_held_then_and_does_not_send(
    hosts: dict[str, Machine], site: Machine
) -> None:
    moment = sql(site, "select clock_timestamp() + interval '1 ms'")
    sql(site, "insert into public.ledger values (3, 'regretted')")
    at_peer(hosts, "before-the-backup after-it regretted")
    sql(site, "select pg_switch_wal()")
    site.run("runuser -u postgres -- pgbackrest --stanza=kuroshio check")
    site.run(re.sub('WHEN=".*"', f'WHEN="{moment}"', RESTORED), seconds=300)
    until("it has been promoted", lambda: sql(site, "select pg_is_in_recovery()") == "f", 60)
    assert sql(site, SAID) == "before-the-backup after-it"
    sql(site, "insert into public.ledger values (4, 'written-after-the-restore')")
    site.run(REPLICATION)
    until(
        "capture is fenced",
        lambda: sql(site, "select state from kuroshio.capture") == "fenced",
        60,
        lambda: words(site),
    )
    sql(hosts["taipei"], "insert into public.ledger values (5, 'at-the-peer')")
    until("it goes on reading", lambda: "at-the-peer" in sql(site, SAID), 60, lambda: words(site))
    assert "written-after-the-restore" not in sql(hosts["taipei"], SAID)

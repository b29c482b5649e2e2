"""A broker's log loses its tail, as in a power cut, or all of itself, under load: it is built anew, nothing is lost.

RabbitMQ never calls fsync for a stream, so after a power cut what was confirmed may be gone, and the segment and its
index may end at different places. The broker is frozen, bytes are cut off its files, and it is killed.
"""

import os
import shutil
import signal
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import pytest

from deploy.local.stack import Stack
from deploy.local.wan.client import Lines
from tests.stack.proof.load import TABLE, load, make_table
from tests.stack.proof.sites import Sites, until

SEED = 3
Damage = Callable[[Path], None]


def cut(pattern: str, bytes_off: int) -> Damage:
    """Cut bytes off the newest file of this kind of each of the site's streams."""

    def damage(streams: Path) -> None:
        for folder in streams.iterdir():
            file = max(folder.glob(pattern))
            size = file.stat().st_size
            os.truncate(file, max(0, size - bytes_off))
            assert file.stat().st_size < size

    return damage


def cut_both(segment: int, index: int) -> Damage:
    def damage(streams: Path) -> None:
        cut("*.segment", segment)(streams)
        cut("*.index", index)(streams)

    return damage


def wipe(streams: Path) -> None:
    shutil.rmtree(streams.parent)


ALL = 1 << 40
INDEX_ENTRY = 29
ROUNDS: Mapping[str, list[Damage]] = {
    "tails": [cut("*.segment", 1), cut("*.index", 7), cut_both(5000, 100), cut_both(20_000, INDEX_ENTRY)],
    "all": [wipe, cut_both(ALL, ALL), cut("*.index", ALL), cut("*.segment", ALL)],
}


def damage_and_kill(stack: Stack, site: str, damage: Damage) -> None:
    program = f"{site}-broker"
    pid = stack.kill(program, signal.SIGSTOP)
    damage(stack.layout.broker(site) / "data" / "stream")
    os.kill(pid, signal.SIGKILL)
    until(f"{program} is started again", lambda: stack.supervisor.pid(program) not in (0, pid))


@pytest.mark.parametrize("lost", ROUNDS)
def test_a_log_that_lost_bytes_or_all_is_built_anew_and_nothing_is_lost(sites: Sites, lost: str) -> None:
    make_table(sites)
    for site in sites.names:
        query = "SELECT state = 'running' FROM kuroshio.capture"
        until(f"capture of {site} runs", lambda site=site, query=query: sites.value(site, query))  # type: ignore[misc]
    before = {site: incarnation(sites, site) for site in sites.names}
    with load(sites, SEED + list(ROUNDS).index(lost)) as running:
        for site, damage in zip(sites.names, ROUNDS[lost], strict=True):
            damage_and_kill(sites.stack, site, damage)
        after = running.acknowledged
        killed = {site: sites.value(site, "SELECT clock_timestamp()") for site in sites.names}
        for site in sites.names:
            until(f"capture of {site} runs again", lambda: captures(sites, site, killed[site]), 60, sites.logs)  # noqa: B023
        until("all wrote on", lambda: all(count > after[name] for name, count in running.acknowledged.items()))
    sites.converge(TABLE, seconds=90)
    running.require_kept(least=20)
    assert {site: incarnation(sites, site) for site in sites.names} != before, "no log had to be built anew"


def incarnation(sites: Sites, site: str) -> str:
    return str(sites.value(site, "SELECT incarnation FROM kuroshio.site"))


def captures(sites: Sites, site: str, since: datetime) -> bool:
    """Capture has kept its record since: it does so once a second, and cannot without its broker."""
    query = "SELECT state = 'running' AND updated_at > %s + interval '1.5 s' FROM kuroshio.capture"
    return bool(sites.value(site, query, (since,)))


def test_a_row_whose_delete_is_forgotten_does_not_rise_from_a_log_that_is_built_anew(sites: Sites) -> None:
    """A peer that is cut off holds the slot back, so the new log holds again what the others have long applied, in
    messages that are cut otherwise; a row that was deleted meanwhile has a tombstone that gives way to what is new."""
    sites.everywhere("CREATE SCHEMA loss; CREATE TABLE loss.item (id int PRIMARY KEY)")
    sites.add_tables("loss.item")
    sites.run("taipei", "INSERT INTO loss.item VALUES (1)")
    sites.converge("loss.item")
    sites.stack.wan.cut(Lines(site="taipei", peer="us"))
    sites.run("taipei", "INSERT INTO loss.item VALUES (2)")
    others = ["taipei", "kaohsiung", "shanghai"]
    sites.converge("loss.item", sites=others)
    sites.run("shanghai", "DELETE FROM loss.item WHERE id = 2")
    graves = "SELECT count(*) FROM kuroshio.tombstone WHERE nspname = 'loss'"
    until("Kaohsiung has heard of it", lambda: sites.value("kaohsiung", graves))
    until("Kaohsiung holds it for stable", lambda: not sites.value("kaohsiung", f"{graves} AND NOT stable"))
    damage_and_kill(sites.stack, "taipei", wipe)
    sites.run("taipei", "INSERT INTO loss.item VALUES (3)")
    until("the new log is read", lambda: sites.run("kaohsiung", "SELECT 1 FROM loss.item WHERE id = 3"))
    sites.stack.wan.heal()
    sites.converge("loss.item")
    assert sites.run("kaohsiung", "SELECT id FROM loss.item ORDER BY 1") == [(1,), (3,)]

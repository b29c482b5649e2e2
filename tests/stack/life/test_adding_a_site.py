"""A site is added while the others work: it has all that they have, and loses nothing of what they write meanwhile."""

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from deploy.local.layout import ROOT
from tests.stack.life.growing import ADDED, add, on_record
from tests.stack.proof.load import TABLE, load
from tests.stack.proof.sites import Sites, until

SEED = 13


def test_a_site_is_added_while_the_others_work(two_sites: Sites) -> None:
    with load(two_sites, SEED) as running:
        until("there is something to take over", lambda: min(running.acknowledged.values()) > 150)
        said = add(two_sites)
        before = running.acknowledged
        until("they write on", lambda: all(n > before[name] for name, n in running.acknowledged.items()))
    with closing(Sites(two_sites.stack)) as whole:
        whole.converge(TABLE)
        running.require_kept(least=150, at=whole.names)
        assert "loading us" in said
        assert all(on_record(whole, site, "add-site") for site in whole.names)
        assert not whole.value(ADDED, "SELECT count(*) FROM kuroshio.parked")
        whole.run(ADDED, f"INSERT INTO {TABLE} (id, author) VALUES (gen_random_uuid(), 'us')")
        whole.wait_and_verify()


def test_a_snapshot_is_loaded_on_from_where_its_loading_was_killed(sites: Sites, tmp_path: Path) -> None:
    """From a carried file; what the site has written itself must have reached the donor before."""
    sites.run(
        "taipei",
        f"INSERT INTO {TABLE} (id, author, note) SELECT gen_random_uuid(), 'taipei', repeat(md5(n::text), 40)"
        " FROM generate_series(1, 8000) n",
    )
    sites.converge(TABLE)
    file = str(tmp_path / "taipei.snapshot")
    early = sites.replication("snapshot", "--site", "taipei", "--to", file)
    assert early.returncode == 0, early.stderr
    refused = sites.replication("seed", "--site", ADDED, "--from", file)
    assert refused.returncode == 2
    assert "take a snapshot again" in refused.stderr
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction, match="is being seeded"):
        sites.run(ADDED, f"DELETE FROM {TABLE}")
    end = sites.value(ADDED, "SELECT lsn FROM kuroshio.closed")
    heard = "SELECT lsn >= %s FROM kuroshio.position WHERE origin = %s"
    until("taipei has had all of it", lambda: sites.value("taipei", heard, (end, ADDED)))
    assert sites.replication("snapshot", "--site", "taipei", "--to", file).returncode == 0
    _kill_when_it_has_begun(sites, file)
    sites.run("kaohsiung", f"DELETE FROM {TABLE} WHERE id IN (SELECT id FROM {TABLE} LIMIT 100)")
    done = sites.replication("seed", "--site", ADDED, "--from", file)
    assert done.returncode == 0, done.stderr
    assert (on_record(sites, "taipei", "snapshot"), on_record(sites, ADDED, "seed")) == (True, True)
    sites.converge(TABLE)
    sites.wait_and_verify()


def _kill_when_it_has_begun(sites: Sites, file: str) -> None:
    options = ["--site", ADDED, "--from", file, "--config", str(sites.stack.config.directory)]
    seeding = subprocess.Popen([sys.executable, "-m", "replication", "seed", *options], cwd=ROOT)
    until("some of it is loaded", lambda: sites.value(ADDED, "SELECT sum(chunk) FROM kuroshio.closed") or 0)
    seeding.send_signal(signal.SIGKILL)
    seeding.wait()
    assert sites.value(ADDED, "SELECT count(*) FROM kuroshio.closed"), "it was done before it was killed"

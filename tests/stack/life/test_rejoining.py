"""A site comes back: from a copy of its files, from a dump, from too long an absence, without its slot."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql

from deploy.local.wan.client import Lines
from replication.keys import keep_incarnations
from sitecfg import Site
from tests.stack.life.growing import ADDED, OLD, daemons, on_record
from tests.stack.proof.load import TABLE, columns, load
from tests.stack.proof.sites import Sites, until
from tests.stack.proof.test_broker_loss import damage_and_kill, wipe

SEED = 18
LINE = f"INSERT INTO {TABLE} (id, author, note) VALUES (gen_random_uuid(), 'us', %s)"
FENCED = "SELECT state = 'fenced' AND reason LIKE '%rejoin us%' FROM kuroshio.capture"


def rejoin(sites: Sites) -> str:
    done = sites.replication("rejoin", ADDED, "--timeout", "180", seconds=400)
    assert done.returncode == 0, done.stdout + done.stderr + sites.logs()
    assert all(on_record(sites, site, "rejoin") for site in sites.names)
    return done.stdout


def rejoin_with_a_carried_file(sites: Sites, file: Path) -> None:
    """As between hosts: where the site is, there is no key of its donor."""
    key = sites.stack.site("taipei").keys.own
    away = key.rename(key.with_name("away.key"))
    refused = sites.replication("rejoin", ADDED, "--timeout", "60", "--from", "taipei")
    away.rename(key)
    assert "--file FILE" in refused.stderr, refused.stdout + refused.stderr
    taken = sites.replication("snapshot", "--site", "taipei", "--to", str(file))
    assert taken.returncode == 0, taken.stdout + taken.stderr
    done = sites.replication("rejoin", ADDED, "--timeout", "180", "--file", str(file), seconds=400)
    assert done.returncode == 0, done.stdout + done.stderr + sites.logs()


def copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", source, target], check=True)


def notes(sites: Sites, site: str) -> set[str]:
    return {str(note) for (note,) in sites.run(site, f"SELECT note FROM {TABLE} WHERE author = 'us'")}


@contextmanager
def servers_stopped(sites: Sites) -> Iterator[Path]:
    """Of the third site, whose cluster's folder is given."""
    programs = [f"{ADDED}-postgres", *daemons(ADDED)]
    sites.stack.stop(*programs)
    yield sites.stack.layout.cluster(ADDED)
    sites.stack.start(*programs)
    until("the database answers", lambda: sites.value(ADDED, "SELECT true"))


def test_a_site_restored_from_a_copy_of_its_files_is_noticed_and_gets_its_lost_rows_back(
    sites: Sites, tmp_path: Path
) -> None:
    """The same system id, the same timeline, positions that are used again; and what people write to it before anybody
    looks is kept."""
    sites.run(ADDED, LINE, ("before the backup",))
    sites.converge(TABLE)
    with servers_stopped(sites) as cluster:
        copy(cluster, tmp_path / "backup")
    gone = sites.value(ADDED, LINE + " RETURNING id", ("deleted since",))
    sites.run(ADDED, LINE, ("lost",))
    sites.run(ADDED, f"DELETE FROM {TABLE} WHERE id = %s", (gone,))
    sites.converge(TABLE)
    with servers_stopped(sites) as cluster:
        shutil.rmtree(cluster)
        copy(tmp_path / "backup", cluster)
    until("capture is fenced, and says what to do", lambda: sites.value(ADDED, FENCED), 60, sites.logs)
    sites.run(ADDED, LINE, ("written to the copy",))
    assert "lost" not in notes(sites, ADDED)
    with load(Sites(sites.stack, OLD), SEED):
        said = rejoin(sites)
    sites.converge(TABLE)
    for site in sites.names:
        assert {"before the backup", "lost", "written to the copy"} <= notes(sites, site), said
        assert "deleted since" not in notes(sites, site)
    sites.run(ADDED, LINE, ("after all",))
    sites.wait_and_verify()
    assert "after all" in notes(sites, OLD[0])


def put_aside(site: Site) -> None:
    """An empty database in the place of the site's, which is renamed: DROP DATABASE would wait for pglogical's
    supervisor, in vain."""
    name, aside = sql.Identifier(site.database.name), sql.Identifier(f"put_aside_{uuid4().hex}")
    away = sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s")

    def rename() -> bool:
        with psycopg.connect(site.dsn(), dbname="postgres", autocommit=True) as server:
            server.execute(away, (site.database.name,))
            server.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(name, aside))
            server.execute(sql.SQL("CREATE DATABASE {}").format(name))
            return True

    until("nobody is in the database", rename)


def test_a_site_restored_from_a_dump_gets_its_lost_rows_back(sites: Sites, tmp_path: Path) -> None:
    """Into a database that knows no slot and nothing of pglogical."""
    dump, site = tmp_path / "us.dump", sites.stack.site(ADDED)
    sites.run(ADDED, LINE, ("before the dump",))
    sites.converge(TABLE)
    subprocess.run(["pg_dump", "-Fc", "-f", dump, site.dsn()], check=True)
    sites.run(ADDED, LINE, ("lost after the dump",))
    sites.converge(TABLE)
    sites.stack.stop(*daemons(ADDED))
    sites.run(ADDED, "SELECT pg_drop_replication_slot('kuroshio')")
    sites.close()
    put_aside(site)
    subprocess.run(["pg_restore", "--exit-on-error", "-d", site.dsn(), dump], check=True)
    sites.stack.start(*daemons(ADDED))
    until("capture is fenced, and says what to do", lambda: sites.value(ADDED, FENCED), 60, sites.logs)
    rejoin_with_a_carried_file(sites, tmp_path / "taipei.snapshot")
    sites.converge(TABLE)
    assert {"before the dump", "lost after the dump"} <= notes(sites, ADDED)
    sites.run(ADDED, LINE, ("after the dump",))
    sites.wait_and_verify()
    assert "after the dump" in notes(sites, OLD[0])


def test_what_a_restored_site_alone_has_is_not_taken_away_with_its_log(sites: Sites) -> None:
    """It was sent to the site's own broker, whose log is lost; no peer had read it."""
    sites.stack.wan.cut(Lines(site=ADDED))
    sites.run(ADDED, LINE, ("read by nobody",))
    end = sites.value(ADDED, "SELECT pg_current_wal_insert_lsn()")
    sent = "SELECT least(live_lsn, packed_lsn) >= %s FROM kuroshio.capture"
    until("the broker has it", lambda: sites.value(ADDED, sent, (end,)), 60, sites.logs)
    sites.stack.stop(f"{ADDED}-capture")
    keep_incarnations(sites.stack.site(ADDED), "a-log-that-nobody-has")
    sites.stack.start(f"{ADDED}-capture")
    until("capture is fenced, and says what to do", lambda: sites.value(ADDED, FENCED), 60, sites.logs)
    sites.stack.wan.heal()
    rejoin(sites)
    sites.converge(TABLE)
    for site in sites.names:
        assert "read by nobody" in notes(sites, site)
    sites.wait_and_verify()


def test_a_site_without_database_and_backup_gets_back_what_any_peer_had(sites: Sites) -> None:
    """One peer had read more of its log than the other, and the log is gone, too."""
    site = sites.stack.site(ADDED)
    sites.stack.stop("kaohsiung-apply")
    sites.run(ADDED, LINE, ("read by taipei alone",))
    until("taipei has it", lambda: "read by taipei alone" in notes(sites, "taipei"), 60, sites.logs)
    sites.stack.stop(*daemons(ADDED))
    sites.run(ADDED, "SELECT pg_drop_replication_slot('kuroshio')")
    sites.close()
    put_aside(site)
    damage_and_kill(sites.stack, ADDED, wipe)
    sites.stack.start("kaohsiung-apply")
    sites.run(ADDED, f"CREATE SCHEMA load; CREATE TABLE {TABLE} ({columns([*OLD, ADDED])})")
    refused = sites.replication("add-site", ADDED)
    assert "another log of it" in refused.stderr, refused.stdout + refused.stderr
    assert sites.replication("init", "--site", ADDED).returncode == 0
    assert sites.replication("add-table", TABLE, "--site", ADDED).returncode == 0
    rejoin(sites)
    sites.stack.start(*daemons(ADDED))
    sites.converge(TABLE)
    for name in sites.names:
        assert "read by taipei alone" in notes(sites, name)
    sites.run(ADDED, LINE, ("after the loss",))
    sites.wait_and_verify()
    assert "after the loss" in notes(sites, OLD[1])


def test_a_site_whose_slot_is_lost_sends_again_what_its_log_does_not_hold(sites: Sites) -> None:
    sites.run(ADDED, LINE, ("sent",))
    sites.converge(TABLE)
    sites.stack.stop(f"{ADDED}-capture")
    sites.run(ADDED, LINE, ("never sent",))
    sites.run(ADDED, f"UPDATE {TABLE} SET by_us = 7 WHERE author = 'us' AND note = 'sent'")
    sites.run(ADDED, f"DELETE FROM {TABLE} WHERE author = 'us' AND note = 'before the backup'")
    sites.run(ADDED, "SELECT pg_drop_replication_slot('kuroshio')")
    sites.stack.start(f"{ADDED}-capture")
    until("capture is fenced, and says what to do", lambda: sites.value(ADDED, FENCED), 60, sites.logs)
    rejoin(sites)
    sites.converge(TABLE)
    assert "never sent" in notes(sites, OLD[0])
    sites.wait_and_verify()


def lose_what_it_lacks(sites: Sites) -> None:
    """The others' slots pass their bound and let go of what the third site has not had; then their logs are lost."""
    for name in OLD:
        sites.run(name, "SELECT pg_logical_emit_message(false, 'bulk', repeat('x', 3000000))")
    gone = "SELECT s.confirmed_flush_lsn > p.lsn + 2000000 FROM pg_replication_slots s, kuroshio.peer_position p"
    for name in OLD:
        passed = f"{gone} WHERE slot_name = 'kuroshio' AND reader = %s AND origin = %s"
        until(f"the slot of {name} lets go", lambda: sites.value(name, passed, (ADDED, name)), 30)  # noqa: B023
        damage_and_kill(sites.stack, name, wipe)
    for name in OLD:
        until(f"the log of {name} is new", lambda: len(sites.value(name, "SELECT lineage FROM kuroshio.site")) > 1, 60)  # noqa: B023


def test_a_site_that_was_away_for_longer_than_the_logs_are_kept_is_seeded_again_and_keeps_its_edits(
    sites: Sites,
) -> None:
    row = sites.value("taipei", LINE + " RETURNING id", ("to be deleted",))
    sites.converge(TABLE)
    sites.stack.wan.cut(Lines(site=ADDED))
    sites.run(ADDED, LINE, ("written alone",))
    sites.run("taipei", f"DELETE FROM {TABLE} WHERE id = %s", (row,))
    sites.run("taipei", LINE, ("written by the others",))
    sites.converge(TABLE, sites=OLD)
    lose_what_it_lacks(sites)
    sites.stack.wan.heal()
    stopped = "SELECT count(*) FROM kuroshio.reading WHERE state = 'stopped' AND reason LIKE '%seeded again%'"
    until("it notices", lambda: sites.value(ADDED, stopped), 90, sites.logs)
    until("the others have what it wrote", lambda: "written alone" in notes(sites, "taipei"), 60, sites.logs)
    with load(Sites(sites.stack, OLD), SEED + 1):
        rejoin(sites)
    sites.converge(TABLE)
    sites.wait_and_verify()
    assert {"written alone", "written by the others"} <= notes(sites, ADDED)
    assert "to be deleted" not in notes(sites, ADDED)

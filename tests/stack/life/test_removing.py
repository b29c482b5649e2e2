"""A site leaves: the others have all that it wrote, and stop waiting for it. Comes last: it takes a site away."""

from contextlib import closing

from deploy.local.stack import Stack
from sitecfg import load as load_config
from sitecfg.example import write
from tests.stack.life.growing import ADDED, LIMITS, OLD, daemons
from tests.stack.proof.load import TABLE
from tests.stack.proof.sites import Sites, until


def test_the_others_stop_waiting_for_a_site_that_has_left(sites: Sites) -> None:
    sites.run(ADDED, f"INSERT INTO {TABLE} (id, author, note) VALUES (gen_random_uuid(), 'us', 'the last words')")
    closed = sites.replication("remove-site", ADDED)
    assert closed.returncode == 0, closed.stderr
    for name in OLD:
        assert sites.value(name, f"SELECT count(*) FROM {TABLE} WHERE note = 'the last words'") == 1
    too_early = _without_it(sites).replication("remove-site", ADDED)
    assert too_early.returncode == 2
    assert "take us's file out of sitecfg" in too_early.stderr
    with closing(_without_it(sites)) as left:
        left.stack.stop(*daemons(*sites.names))
        left.stack.start(*daemons(*OLD))
        until(
            "both capture anew",
            lambda: all(not left.value(n, "SELECT 'us' = ANY (peers) FROM kuroshio.capture") for n in OLD),
        )
        gone = left.replication("remove-site", ADDED)
        assert gone.returncode == 0, gone.stderr
        noted = "SELECT array_agg(outcome ORDER BY asked_at) FROM kuroshio.request WHERE action = 'remove-site'"
        assert [left.value(name, noted) for name in OLD] == [["closed", "forgotten"]] * len(OLD)
        assert "us" not in left.replication("verify", "--background").stdout
        left.run("taipei", f"DELETE FROM {TABLE} WHERE note = 'the last words'")
        left.converge(TABLE)
        graves = "SELECT count(*) FROM kuroshio.tombstone"
        until("tombstones go without it", lambda: all(left.value(name, graves) == 0 for name in OLD), 60, left.logs)
        left.wait_and_verify()


def _without_it(sites: Sites) -> Sites:
    """The same sites under a configuration that does not name the third one."""
    config = sites.stack.config
    base_port = config.site(OLD[0]).database.port - 1
    (config.directory / "sites" / f"{ADDED}.toml").unlink(missing_ok=True)
    write(config.directory, sites=OLD, base_port=base_port, limits=LIMITS)
    return Sites(Stack(load_config(config.directory)))

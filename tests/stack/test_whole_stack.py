"""Four sites with daemons, web nodes and what watches them, as `make demo` runs them: their connections, their cost,
their return.
"""

import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import listing, processes, sockets
from deploy.local.cli import main
from deploy.local.programs import DAEMONS, WEB, names
from deploy.local.stack import Stack
from deploy.local.supervisor import wait_until
from tests.monitoring.pages import DASHBOARDS, expressions, metrics_in
from tests.stack.proof.sites import until
from tests.stack.stack import running_stack
from tests.stack.watcher import Watcher

SITES = ("taipei", "kaohsiung", "shanghai", "us")
RULES = Path(__file__).resolve().parents[2] / "sitecfg" / "rules" / "crm.toml"
DEADLINE_SECONDS = 60.0
ASKED_SECONDS = 180.0
"""Prometheus spreads its first questions over an interval: up to a minute for the streams, which are asked seldom."""
AGAIN_SECONDS = 30.0
MEMORY_MB = 3.5 * 1024
CORE_PERCENT = 15.0
WATCHED_SECONDS = 20.0
ONLY_AFTER = {
    "ALERTS",
    "kuroshio_apply_retries_total",
    "kuroshio_apply_conflicts_total",
    "site_origin:kuroshio_catch_up_seconds",
    "site_origin:kuroshio_commit_latency_seconds:p99_5m",
    "site:kuroshio_web_faults:ratio5m",
}
"""These say something only after something has happened that does not happen at rest."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("whole")
    with running_stack(folder, sites=SITES, rules=RULES.read_text(), app=True, watched=1) as stack:
        watcher = Watcher(stack)
        until("all of it was asked", lambda: not watcher.down(), ASKED_SECONDS, lambda: str(watcher.down()))
        yield stack


def crossings(stack: Stack) -> set[tuple[str, str]]:
    """Which site's apply is connected to which peer's line."""
    known = sockets.established()
    lines = {peer.port: (site.name, name) for site in stack.sites for name, peer in site.peers.items()}
    appliers = [one for one in processes.ours(stack.layout.state) if one.program.endswith("-apply")]
    ports = [socket.remote_port for one in appliers for socket in sockets.sockets_of(one, known)]
    return {lines[port] for port in ports if port in lines}


def test_every_site_reads_every_other_and_all_of_it_crosses_the_wan(stack: Stack) -> None:
    everybody = {(reader, origin) for reader in SITES for origin in SITES if reader != origin}
    wait_until("each apply reads each peer", lambda: crossings(stack) == everybody, DEADLINE_SECONDS)
    assert sockets.past_the_wan(stack.config) == []


@pytest.mark.parametrize("site", SITES)
def test_a_web_node_serves_its_page(stack: Stack, site: str) -> None:
    with urllib.request.urlopen(stack.site(site).web_url, timeout=DEADLINE_SECONDS) as answer:
        assert answer.status == 200
        assert b"<html" in answer.read()


@pytest.mark.usefixtures("alone")
def test_at_rest_all_of_it_stays_within_its_memory_and_its_share_of_a_core(stack: Stack) -> None:
    usage = listing.usage(stack.layout.state, WATCHED_SECONDS)
    assert {f"{site}-web" for site in SITES} <= {one.program for one in usage}
    assert sum(one.pss_mb for one in usage) < MEMORY_MB
    assert sum(one.cpu_percent for one in usage) < CORE_PERCENT, listing.as_table(usage)


def test_prometheus_hears_of_everything_and_answers_every_question_of_the_dashboards(stack: Stack) -> None:
    watcher = Watcher(stack)
    questions = [question for path in DASHBOARDS for question in expressions(path)]
    asked = {name for question in questions for name in metrics_in(question)} - ONLY_AFTER
    wait_until("every metric is there", lambda: not asked - {*watcher.ask("label/__name__/values")}, DEADLINE_SECONDS)
    told = {question for question in questions if ">" not in question and not metrics_in(question) & ONLY_AFTER}
    wait_until("all answers tell something", lambda: all(map(watcher.query, told)), DEADLINE_SECONDS)
    assert all(isinstance(watcher.query(question), list) for question in questions)


@pytest.mark.parametrize("kind", [*DAEMONS, WEB])
def test_a_daemon_that_is_killed_comes_back(stack: Stack, kind: str) -> None:
    program = f"us-{kind}"
    killed = stack.kill(program)
    wait_until(f"{program} is back", lambda: stack.supervisor.pid(program) not in (0, killed), DEADLINE_SECONDS)


@pytest.mark.usefixtures("alone")
def test_a_second_start_is_ready_in_time_while_the_sites_are_up(stack: Stack) -> None:
    assert _seconds_to_be_up(stack) < AGAIN_SECONDS


@pytest.mark.usefixtures("alone")
def test_a_start_after_down_is_ready_in_time_and_down_left_nothing(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["down", "--config", str(stack.config.directory)]) == 0
    assert processes.ours(stack.layout.state) == []
    assert _seconds_to_be_up(stack) < AGAIN_SECONDS
    told = capsys.readouterr().out
    assert all(site.web_url in told for site in stack.sites)
    assert set(stack.supervisor.states()) >= set(names(stack.config, *DAEMONS, WEB))


def _seconds_to_be_up(stack: Stack) -> float:
    start = time.monotonic()
    assert main(["up", "--config", str(stack.config.directory)]) == 0
    return time.monotonic() - start

"""The embedded stack with real parts: it comes up, stays up, keeps to itself and goes away entirely."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import LiteralString

import pika
import psycopg
import pytest

from deploy.local import account, listing, processes, sockets
from deploy.local.cli import main
from deploy.local.programs import EPMD, WAN
from deploy.local.say import StackError
from deploy.local.stack import Stack
from deploy.local.supervisor import wait_until
from deploy.local.wan.client import Lines, WanClient, WanError
from replication.broker.names import stream_name
from sitecfg import load
from tests.stack.stack import running_stack

DEADLINE_SECONDS = 30.0
TAIPEI, KAOHSIUNG = "taipei", "kaohsiung"
PROBE, FLOOD = stream_name(KAOHSIUNG, "beef", "live"), stream_name(KAOHSIUNG, "f100d", "live")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("stack"), infrastructure_only=True, skewed=[KAOHSIUNG]) as stack:
        yield stack


def value(stack: Stack, site: str, query: LiteralString) -> object:
    with psycopg.connect(stack.site(site).dsn(), autocommit=True) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def until(what: str, holds: Callable[[], object]) -> None:
    wait_until(what, lambda: bool(holds()), DEADLINE_SECONDS)


def channel(url: str) -> tuple[pika.BlockingConnection, "pika.adapters.blocking_connection.BlockingChannel"]:
    parameters = pika.URLParameters(url)
    parameters.socket_timeout = parameters.stack_timeout = DEADLINE_SECONDS
    connection = pika.BlockingConnection(parameters)
    return connection, connection.channel()


@pytest.mark.parametrize(
    ("setting", "wanted"),
    [
        ("wal_level", "logical"),
        ("track_commit_timestamp", "on"),
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("shared_preload_libraries", "pglogical"),
        ("server_encoding", "UTF8"),
        ("lc_ctype", "C.UTF-8"),
        ("listen_addresses", "127.0.0.1"),
        ("password_encryption", "scram-sha-256"),
    ],
)
def test_a_cluster_is_set_up_for_logical_replication_and_keeps_what_it_commits(
    stack: Stack, setting: LiteralString, wanted: str
) -> None:
    assert value(stack, TAIPEI, f"show {setting}") == wanted


def test_pglogical_s_output_plugin_can_be_used(stack: Stack) -> None:
    slot = "select pg_create_logical_replication_slot('probe', 'pglogical_output', true) is not null"
    assert value(stack, TAIPEI, slot)


def test_the_web_node_s_role_owns_the_database_and_is_no_superuser(stack: Stack) -> None:
    site, secret = stack.site(TAIPEI), stack.layout.secret("taipei.app")
    login = psycopg.conninfo.make_conninfo(site.dsn(), user="app", password=secret.read_text().strip())
    with psycopg.connect(login) as connection:
        connection.execute("create table mine (id int)")
        connection.execute("create extension pg_trgm")
        connection.execute("select pg_replication_origin_session_is_setup()")
        assert connection.info.parameter_status("is_superuser") == "off"
        connection.rollback()


def test_passwords_are_needed_everywhere(stack: Stack) -> None:
    site = stack.site(TAIPEI)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(psycopg.conninfo.make_conninfo(site.dsn(), password="guess"))
    for user in ("guest", "kuroshio", KAOHSIUNG):
        with pytest.raises(pika.exceptions.AMQPConnectionError):
            channel(f"amqp://{user}:guest@127.0.0.1:{site.broker.port}/%2F")


def test_secrets_and_private_keys_are_their_owner_s_alone(stack: Stack) -> None:
    private = [*(stack.layout.state / "secrets").iterdir(), *stack.layout.state.glob("keys/*/*.key")]
    private += [*stack.layout.state.glob("keys/*/tls.pem"), *stack.layout.state.glob("authority/*")]
    private += stack.layout.state.glob("*/rabbitmq/.erlang.cookie")
    assert len(private) > 12
    for path in private:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_every_site_has_everybody_s_public_key(stack: Stack) -> None:
    for site in stack.sites:
        assert {path.name for path in site.keys.directory.glob("*.pub")} == {"taipei.pub", "kaohsiung.pub"}
        for other in stack.sites:
            assert site.keys.public(other.name).read_bytes() == other.keys.public(other.name).read_bytes()


def test_a_peer_reads_another_site_s_streams_over_its_line_and_may_do_nothing_else(stack: Stack) -> None:
    own, publishing = channel(stack.site(KAOHSIUNG).broker_url())
    publishing.queue_declare(PROBE, durable=True, arguments={"x-queue-type": "stream"})
    publishing.confirm_delivery()
    publishing.basic_publish("", PROBE, b"hello", mandatory=True)
    peer, reading = channel(stack.site(TAIPEI).peer_url(KAOHSIUNG))
    reading.basic_qos(prefetch_count=1)
    received = next(reading.consume(PROBE, arguments={"x-stream-offset": "first"}, inactivity_timeout=10))
    assert received[2] == b"hello"
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="ACCESS_REFUSED"):
        peer.channel().queue_declare("kuroshio.mine", durable=True)
    own.close()
    _hang_up(peer)


def _hang_up(connection: pika.BlockingConnection) -> None:
    """A channel that consumed a stream closes its connection when it gives messages back."""
    try:
        connection.close()
    except pika.exceptions.AMQPError:
        assert connection.is_closed


def test_less_than_ten_seconds_of_a_thin_line_lie_between_a_broker_and_its_reader(stack: Stack) -> None:
    own, publishing = channel(stack.site(KAOHSIUNG).broker_url())
    publishing.queue_declare(FLOOD, durable=True, arguments={"x-queue-type": "stream"})
    for _ in range(2_000):
        publishing.basic_publish("", FLOOD, b"x" * 1_000)
    peer, reading = channel(stack.site(TAIPEI).peer_url(KAOHSIUNG))
    reading.basic_qos(prefetch_count=1_000)
    stack.wan.shape(rate="64kbit")
    reading.basic_consume(FLOOD, lambda *_: None, arguments={"x-stream-offset": "first"})
    most = 0
    for _ in range(8):
        peer.process_data_events(time_limit=0.5)
        most = max(most, _queued_bytes(stack, KAOHSIUNG, TAIPEI))
    stack.wan.shape(rate="full")
    assert 0 < most < 80_000
    own.close()
    _hang_up(peer)


def _queued_bytes(stack: Stack, server: str, client: str) -> int:
    """What the kernel holds on the way from a broker through the client's relay."""
    ports = {stack.site(server).broker.tls_port, stack.site(client).peers[server].port}
    between = [one for one in sockets.established().values() if {one.local_port, one.remote_port} & ports]
    return sum(one.send_queue_bytes + one.receive_queue_bytes for one in between)


def test_a_second_start_is_quick_and_touches_nothing(stack: Stack) -> None:
    before = {process.pid for process in processes.ours(stack.layout.state) if process.program != "taipei-postgres"}
    start = time.monotonic()
    stack.up(infrastructure_only=True)
    assert time.monotonic() - start < 30
    assert before - {process.pid for process in processes.ours(stack.layout.state)} == set()


@pytest.mark.parametrize("program", ["taipei-postgres", "taipei-broker", WAN, EPMD])
def test_a_program_that_is_killed_comes_back(stack: Stack, program: str) -> None:
    killed = stack.kill(program)
    until(f"{program} is back", lambda: stack.supervisor.pid(program) not in (0, killed))
    stack.up(infrastructure_only=True)


def test_the_wan_keeps_its_settings_over_a_restart(stack: Stack) -> None:
    stack.wan.cut(Lines(sender=TAIPEI, receiver=KAOHSIUNG))
    stack.wan.shape(Lines(sender=KAOHSIUNG), rate="64kbit", delay="200ms")
    before = stack.wan.links()
    stack.stop(WAN)
    stack.start(WAN)
    until("the emulator answers", lambda: _answers(stack.wan))
    assert stack.wan.links() == before
    assert before["taipei>kaohsiung"]["cut"] == "silence"
    stack.wan.heal()
    stack.wan.shape(rate="full", delay="0ms")


def test_a_site_s_clock_follows_its_file_while_it_runs(stack: Stack) -> None:
    for skew in ("+600", "-600", "+0"):
        stack.layout.clock(KAOHSIUNG).write_text(f"{skew}\n")
        until(f"the clock is off by {skew} s", lambda: abs(ahead_seconds(stack) - int(skew)) < 2)  # noqa: B023


def ahead_seconds(stack: Stack) -> float:
    """By how much Kaohsiung's clock is ahead of Taipei's."""
    now: LiteralString = "select extract(epoch from clock_timestamp())::text"
    kaohsiung, taipei = (float(str(value(stack, site, now))) for site in (KAOHSIUNG, TAIPEI))
    return kaohsiung - taipei


def _answers(wan: WanClient) -> bool:
    try:
        return bool(wan.links())
    except WanError:
        return False


@pytest.fixture
def daemon_of_taipei(stack: Stack) -> Iterator[Callable[[int], None]]:
    """Starts a process that carries the marks of Taipei's daemons and holds a connection to a port."""
    started: list[subprocess.Popen[bytes]] = []
    marks = {processes.STATE_MARK: str(stack.layout.state), processes.SITE_MARK: TAIPEI}

    def connect(port: int) -> None:
        hold = f"import socket; s = socket.create_connection(('127.0.0.1', {port})); print(flush=True); input()"
        process = subprocess.Popen(
            [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **marks}
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline()

    yield connect
    for process in started:
        process.communicate(b"\n", DEADLINE_SECONDS)


def test_connections_to_the_own_site_and_over_the_line_to_a_peer_are_in_order(
    stack: Stack, daemon_of_taipei: Callable[[int], None]
) -> None:
    taipei = stack.site(TAIPEI)
    for port in (taipei.database.port, taipei.broker.port, taipei.peers[KAOHSIUNG].port):
        daemon_of_taipei(port)
    assert sockets.past_the_wan(stack.config) == []


@pytest.mark.parametrize("what", ["database", "broker", "line"])
def test_a_connection_that_goes_past_the_wan_is_found(
    stack: Stack, daemon_of_taipei: Callable[[int], None], what: str
) -> None:
    kaohsiung = stack.site(KAOHSIUNG)
    ports = {"database": kaohsiung.database.port, "broker": kaohsiung.broker.port}
    port = ports.get(what, kaohsiung.peers[TAIPEI].port)
    daemon_of_taipei(port)
    found = sockets.past_the_wan(stack.config)
    assert len(found) == 1
    assert f"port {port} of kaohsiung" in found[0]


def test_ps_lists_every_program_with_its_memory(stack: Stack) -> None:
    usage = listing.usage(stack.layout.state, 0.2)
    programs = {f"{site}-{kind}" for site in (TAIPEI, KAOHSIUNG) for kind in ("postgres", "broker")}
    assert {one.program for one in usage} == {*programs, EPMD, WAN, "supervisord"}
    assert 50 < sum(one.pss_mb for one in usage) < 400


@pytest.mark.skipif(not account.is_root(), reason="an ordinary user's clusters run as that user")
def test_started_by_root_in_a_private_folder_postgresql_runs_unprivileged(stack: Stack) -> None:
    parents = [parent for parent in stack.layout.state.parents if not parent.stat().st_mode & stat.S_IXOTH]
    assert parents, "the stack's folder is not closed to others: this test shows nothing"
    servers = [one for one in processes.ours(stack.layout.state) if one.program.endswith("-postgres")]
    assert servers
    assert all((process.folder / "cmdline").stat().st_uid != 0 for process in servers)


def test_a_port_that_is_taken_is_named_before_anything_starts(stack: Stack, tmp_path: Path) -> None:
    text = (stack.config.directory / "local.toml").read_text().replace(str(stack.layout.state), str(tmp_path / "state"))
    copy = tmp_path / "config"
    subprocess.run(["cp", "-r", stack.config.directory, copy], check=True)
    (copy / "local.toml").write_text(text)
    with pytest.raises(StackError, match=rf"taken by other programs: port .*{stack.site(TAIPEI).database.port}"):
        Stack(load(copy)).up(infrastructure_only=True)
    assert processes.ours(tmp_path / "state") == []


def test_data_outlives_a_killed_supervisor_and_its_orphans_are_ended_by_the_next_start(stack: Stack) -> None:
    with psycopg.connect(stack.site(TAIPEI).dsn()) as connection:
        connection.execute("create table kept as select 42 as answer")
    _kill_supervisor(stack)
    assert processes.ours(stack.layout.state), "the supervisor took its children along: this test shows nothing"
    stack.up(infrastructure_only=True)
    assert value(stack, TAIPEI, "select answer from kept") == 42


def test_down_leaves_no_process_behind_also_without_a_supervisor(stack: Stack) -> None:
    _kill_supervisor(stack)
    assert main(["down", "--config", str(stack.config.directory)]) == 0
    assert processes.ours(stack.layout.state) == []
    assert main(["down", "--config", str(stack.config.directory)]) == 0


def test_down_finds_the_processes_of_a_state_folder_that_was_deleted_under_them(stack: Stack) -> None:
    stack.up(infrastructure_only=True)
    shutil.rmtree(stack.layout.state)
    assert main(["down", "--config", str(stack.config.directory)]) == 0
    assert processes.ours(stack.layout.state) == []


def _kill_supervisor(stack: Stack) -> None:
    [supervisor] = [one for one in processes.ours(stack.layout.state) if one.program == "supervisord"]
    os.kill(supervisor.pid, signal.SIGKILL)
    until("it is gone", lambda: supervisor not in processes.ours(stack.layout.state))

"""The emulated WAN carries, delays, shapes and cuts each direction by itself (design: a link FROM>TO)."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deploy.local.wan.client import Lines, WanClient, WanError

DEADLINE_SECONDS = 20.0
SITES = ("client", "server")
THERE = Lines(sender="client", receiver="server")
BACK = Lines(sender="server", receiver="client")


class Wan:
    """An emulator of one port in its own process, with a server behind it that takes connections."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(DEADLINE_SECONDS)
        self._ends: list[socket.socket] = []
        self.port, control = _free_port(), _free_port()
        self.orders = WanClient(("127.0.0.1", control), SITES)
        target = f"127.0.0.1:{self.server.getsockname()[1]}"
        command = [sys.executable, "-m", "deploy.local.wan", "--target", target]
        command += ["--listen", str(self.port), "--control", str(control)]
        self._process = subprocess.Popen(command)
        self._proc = Path(f"/proc/{self._process.pid}")
        until("the emulator answers", self._answers)

    def _answers(self) -> bool:
        try:
            return bool(self.orders.links())
        except WanError:
            return False

    def client(self) -> socket.socket:
        return self._end(socket.create_connection(("127.0.0.1", self.port)))

    def accept(self) -> socket.socket:
        return self._end(self.server.accept()[0])

    def _end(self, sock: socket.socket) -> socket.socket:
        sock.settimeout(DEADLINE_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ends.append(sock)
        return sock

    def pair(self) -> tuple[socket.socket, socket.socket]:
        return self.client(), self.accept()

    def cpu_seconds(self) -> float:
        fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def open_files(self) -> int:
        return len(list((self._proc / "fd").iterdir()))

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(DEADLINE_SECONDS)
        for sock in (self.server, *self._ends):
            sock.close()


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return int(probe.getsockname()[1])


def until(what: str, holds: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < end, f"waited {DEADLINE_SECONDS:g} s until {what}"
        time.sleep(0.02)


@pytest.fixture
def wan() -> Iterator[Wan]:
    wan = Wan()
    yield wan
    wan.close()


def receive(sock: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = sock.recv(min(1 << 20, size - len(data)))
        assert piece, f"the connection ended after {len(data)} of {size} bytes"
        data += piece
    return bytes(data)


def is_silent(sock: socket.socket, seconds: float = 0.5) -> bool:
    """Whether nothing arrives, not even an end."""
    sock.settimeout(seconds)
    try:
        sock.recv(1)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(DEADLINE_SECONDS)
    return False


def seconds_to_carry(source: socket.socket, target: socket.socket, size: int) -> float:
    start = time.monotonic()
    sender = threading.Thread(target=source.sendall, args=(b"x" * size,))
    sender.start()
    receive(target, size)
    sender.join()
    return time.monotonic() - start


@pytest.mark.parametrize(("rate", "size"), [("64kbit", 16_000), ("512kbit", 128_000), ("10Mbit", 2_500_000)])
def test_a_shaped_line_carries_its_rate_within_a_tenth(wan: Wan, rate: str, size: int) -> None:
    wan.orders.shape(rate=rate)
    client, server = wan.pair()
    assert seconds_to_carry(client, server, size) == pytest.approx(2.0, rel=0.1)


def test_connections_share_the_rate_of_their_line(wan: Wan) -> None:
    wan.orders.shape(rate="512kbit")
    pairs = [wan.pair() for _ in range(4)]
    start = time.monotonic()
    for client, _ in pairs:
        threading.Thread(target=client.sendall, args=(b"x" * 32_000,), daemon=True).start()
    for _, server in pairs:
        receive(server, 32_000)
    assert time.monotonic() - start == pytest.approx(2.0, rel=0.1)


def test_a_rate_holds_for_its_direction_alone(wan: Wan) -> None:
    wan.orders.shape(THERE, rate="64kbit")
    client, server = wan.pair()
    assert seconds_to_carry(server, client, 1_000_000) < 1.0


def test_a_delay_is_added_once_each_way_and_keeps_the_order(wan: Wan) -> None:
    wan.orders.shape(delay="150ms")
    client, server = wan.pair()
    for number in range(20):
        client.sendall(number.to_bytes(2, "big"))
    start = time.monotonic()
    sent = b"".join(number.to_bytes(2, "big") for number in range(20))
    assert receive(server, 40) == sent
    server.sendall(sent)
    assert receive(client, 40) == sent
    assert 0.28 < time.monotonic() - start < 0.45


def test_an_unshaped_line_carries_100_mb_a_second_cheaply(wan: Wan) -> None:
    client, server = wan.pair()
    before = wan.cpu_seconds()
    assert seconds_to_carry(client, server, 200_000_000) < 2.0
    assert wan.cpu_seconds() - before < 1.5


@pytest.mark.parametrize("lines", [THERE, BACK], ids=["there", "back"])
def test_a_one_way_cut_silences_one_direction_and_healing_resumes_it_without_loss(wan: Wan, lines: Lines) -> None:
    client, server = wan.pair()
    muted, heard = (client, server) if lines is THERE else (server, client)
    wan.orders.cut(lines)
    muted.sendall(b"held")
    heard.sendall(b"free")
    assert receive(muted, 4) == b"free"
    assert is_silent(heard)
    wan.orders.heal(lines)
    assert receive(heard, 4) == b"held"


def test_a_cut_stops_bytes_that_are_on_their_way(wan: Wan) -> None:
    wan.orders.shape(delay="500ms")
    client, server = wan.pair()
    client.sendall(b"late")
    wan.orders.cut()
    assert is_silent(server, 1.0)
    wan.orders.heal()
    assert receive(server, 4) == b"late"


def test_nobody_hears_of_a_hang_up_over_a_cut_line(wan: Wan) -> None:
    client, server = wan.pair()
    client.sendall(b"x")
    receive(server, 1)
    wan.orders.cut(THERE)
    client.close()
    assert is_silent(server)
    wan.orders.heal()
    assert server.recv(1) == b""


def test_a_connection_made_during_a_cut_is_silent_and_works_after_healing(wan: Wan) -> None:
    wan.orders.cut()
    client = wan.client()
    client.sendall(b"hello")
    assert is_silent(client)
    wan.orders.heal()
    assert receive(wan.accept(), 5) == b"hello"


def test_clients_that_gave_up_during_a_cut_leave_nothing_in_the_emulator(wan: Wan) -> None:
    wan.orders.cut()
    before = wan.open_files()
    for _ in range(20):
        wan.client().close()
    until("their sockets are gone", lambda: wan.open_files() <= before)


@pytest.mark.parametrize("lines", [THERE, BACK], ids=["there", "back"])
def test_a_cut_with_reset_closes_what_is_there_and_what_comes(wan: Wan, lines: Lines) -> None:
    client, server = wan.pair()
    wan.orders.cut(lines, mode="reset")
    for sock in (client, server):
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
    with pytest.raises(ConnectionError):
        wan.client().recv(1)
    wan.orders.heal()
    client, server = wan.pair()
    client.sendall(b"again")
    assert receive(server, 5) == b"again"


def test_less_than_ten_seconds_of_a_thin_line_are_in_flight(wan: Wan) -> None:
    """The sender's buffer is that of the stack's brokers; the receiver takes all that comes."""
    wan.orders.shape(rate="64kbit")
    client, server = wan.pair()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
    assert _in_flight_bytes(client, server, seconds=4.0) < 80_000


def test_little_is_in_flight_on_a_connection_older_than_the_shape_of_its_line(wan: Wan) -> None:
    client, server = wan.pair()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
    seconds_to_carry(client, server, 10_000_000)
    wan.orders.shape(rate="64kbit")
    assert _in_flight_bytes(client, server, seconds=4.0) < 80_000


def _in_flight_bytes(source: socket.socket, target: socket.socket, *, seconds: float) -> int:
    """The most that was sent and had not arrived."""
    source.setblocking(False)
    target.setblocking(False)
    sent = arrived = most = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sent += _try(lambda: source.send(b"x" * 4096))
        arrived += _try(lambda: len(target.recv(1 << 16)))
        most = max(most, sent - arrived)
        time.sleep(0.001)
    assert arrived > 0
    return most


def _try(step: Callable[[], int]) -> int:
    try:
        return step()
    except BlockingIOError:
        return 0


def test_counters_tell_delivered_payload_and_connections(wan: Wan) -> None:
    client, server = wan.pair()
    client.sendall(b"x" * 1000)
    receive(server, 1000)
    server.sendall(b"y" * 10)
    receive(client, 10)
    counters = wan.orders.counters()
    assert counters["client>server"] == {"bytes": 1000, "connections": 1, "open": 1}
    assert counters["server>client"] == {"bytes": 10, "connections": 1, "open": 1}


def test_an_order_that_is_not_understood_is_refused_and_changes_nothing(wan: Wan) -> None:
    before = wan.orders.links()
    with pytest.raises(WanError, match="no site is called nowhere"):
        wan.orders.cut(Lines(site="nowhere"))
    with pytest.raises(WanError, match="cut is one of"):
        wan.orders.cut(mode="loud")
    assert wan.orders.links() == before


def test_lines_are_chosen_as_people_name_them() -> None:
    sites = ("a", "b", "c")
    assert Lines(site="a").among(sites) == ["a>b", "a>c", "b>a", "c>a"]
    assert Lines(site="a", peer="b").among(sites) == ["a>b", "b>a"]
    assert Lines(sender="a", receiver="b").among(sites) == ["a>b"]
    assert Lines(sender="a").among(sites) == ["a>b", "a>c"]
    assert len(Lines().among(sites)) == 6

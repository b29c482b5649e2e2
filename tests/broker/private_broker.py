"""A real RabbitMQ broker of the tests' own: loopback, free ports, its own epmd, nothing shared.

Ended by pid, epmd included, so that no test run leaves a process behind.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from deploy.local import broker_home
from replication.broker.log import last_message
from replication.errors import BrokerUnavailable


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Return once `condition` holds; fail, saying for what we waited, after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.02)


def await_stream(broker: "PrivateBroker", stream: str) -> None:
    """Wait until a broker that was started again serves `stream`: its port opens before that."""

    def there() -> bool:
        try:
            last_message(broker.url(), stream)
        except BrokerUnavailable:
            return False
        return True

    wait_for(there, f"{stream} to be served again")


def _stands_still(group: int) -> bool:
    """Have all threads of the group's first process, the server, stopped? On a busy machine that takes a moment."""
    fields = [path.read_text().rpartition(")")[2].split() for path in Path("/proc").glob(f"{group}/task/*/stat")]
    return bool(fields) and all(state == "T" for state, *_ in fields)


class PrivateBroker:
    """One broker whose data lies in `folder`; it can be killed and started over the same data."""

    def __init__(self, folder: Path, base_port: int) -> None:
        self.folder = folder
        self.port, self._dist_port, self._epmd_port = range(base_port + 1, base_port + 4)
        self._server: subprocess.Popen[bytes] | None = None
        (folder / "home").mkdir(parents=True)
        self._program = folder / "rabbitmq"
        broker_home.check_installed()
        broker_home.make(self._program)
        (folder / "rabbitmq.conf").write_text(_CONFIGURATION.format(port=self.port, folder=folder))
        (folder / "enabled_plugins").write_text("[].")
        (folder / "advanced.config").write_text("[].")

    def url(self, user: str = "guest") -> str:
        return f"amqp://{user}:{user}@127.0.0.1:{self.port}/{quote('/', safe='')}"

    def start(self, *, wait: bool = True) -> None:
        with (self.folder / "broker.log").open("ab") as log:
            self._server = subprocess.Popen(
                [broker_home.server(self._program)], env=self._environment(),
                stdout=log, stderr=log, cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        if wait:
            wait_for(self._answers, f"the broker on port {self.port} to answer", 60)

    def kill(self) -> None:
        """End the broker as a crash would: nothing is flushed, nothing said goodbye."""
        assert self._server is not None
        os.killpg(self._server.pid, signal.SIGKILL)
        self._server.wait(30)
        self._server = None
        wait_for(lambda: not self._listens(), "the killed broker's port to close")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let the broker neither answer nor close anything for a while."""
        assert self._server is not None
        group = self._server.pid
        os.killpg(group, signal.SIGSTOP)
        wait_for(lambda: _stands_still(group), "every thread of the broker to stop")  # until then it may answer
        try:
            yield
        finally:
            os.killpg(group, signal.SIGCONT)

    def end(self) -> None:
        if self._server is not None:
            self.kill()
        _end_epmd(self._epmd_port)

    def ensure(self) -> None:
        """Start the broker if a test has left it killed."""
        if self._server is None:
            self.start()

    def knows_its_stream_coordinator(self) -> bool:
        names = (self.folder / "data").glob("*/coordination/*/names.dets")
        return any(b"rabbit_stream_coordinator" in path.read_bytes() for path in names)

    def complaints(self) -> str:
        """What the broker has logged so far as a warning or worse."""
        return "".join(path.read_text() for path in sorted((self.folder / "log").glob("*.log")))

    def control(self, *words: str) -> str:
        """Run rabbitmqctl and return what it printed."""
        done = subprocess.run(
            [self._program / "sbin" / "rabbitmqctl", "--quiet", "--node", self._node, *words],
            env=self._environment(), check=False, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def _node(self) -> str:
        return f"kuroshio-{self.port}@localhost"

    def _answers(self) -> bool:
        assert self._server is not None
        if self._server.poll() is not None:
            raise RuntimeError((self.folder / "broker.log").read_text())
        return self._listens()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _environment(self) -> dict[str, str]:
        folder = self.folder
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(folder / "home"),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "broker.pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }


_CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
loopback_users.guest = true
log.console = false
log.file.level = warning
"""


def _end_epmd(port: int) -> None:
    """End the port mapper that the broker's node started: it outlives its nodes."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "comm").read_text().strip()
            environment = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if name == "epmd" and f"ERL_EPMD_PORT={port}".encode() in environment:
            os.kill(int(process.name), signal.SIGTERM)

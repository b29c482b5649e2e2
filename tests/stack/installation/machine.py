"""Machines within this one: Debian with its own systemd, disk, processes and network, from what is installed here.

Nothing that happens there changes anything here; when its first process ends, all of its processes do. It takes root.
"""

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

HERE = Path(__file__).resolve().parent
CGROUPS = Path("/sys/fs/cgroup")
NAMESPACES = ["--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup"]
BOOT_SECONDS = 30.0
NETWORK = "10.77.0"

Held = TypeVar("Held")
Done = subprocess.CompletedProcess[str]


class Machine:
    """A machine that has booted; `address` is its own in the network of the machines."""

    def __init__(self, name: str, pid: int, address: str) -> None:
        self.name, self.pid, self.address = name, pid, address

    def try_to(self, command: str, *, seconds: float = 120) -> Done:
        """Run a shell command there, as root."""
        enter = ["nsenter", f"--target={self.pid}", "--all", "--root"]
        clean = [
            "env",
            "-i",
            "--chdir=/",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG=C.UTF-8",
        ]
        return subprocess.run(
            [*enter, *clean, "sh", "-euc", command], capture_output=True, text=True, timeout=seconds, check=False
        )

    def run(self, command: str, *, seconds: float = 120) -> str:
        """The same; what it says, or an assertion with all of its words."""
        done = self.try_to(command, seconds=seconds)
        assert done.returncode == 0, f"{self.name}$ {command}\n{done.stdout}{done.stderr}"
        return done.stdout


@contextmanager
def machines(names: Sequence[str]) -> Iterator[dict[str, Machine]]:
    """Machines in one network, which is nobody else's."""
    with ExitStack() as stack:
        made: dict[str, Machine] = {}
        hub = stack.enter_context(_switch())
        for number, name in enumerate(names, 1):
            machine = Machine(name, stack.enter_context(_booted(name)), f"{NETWORK}.{number}")
            _plug_in(machine, hub, number)
            made[name] = machine
        for machine in made.values():
            _await_boot(machine)
        yield made


@contextmanager
def _switch() -> Iterator[int]:
    """A network namespace with a bridge; the pid of who holds it open."""
    holder = subprocess.Popen(["unshare", "--net", "--kill-child", "sleep", "infinity"])
    try:
        _until(lambda: _net(holder.pid) != _net(os.getpid()), "the network is there")
        _in_net(holder.pid, "ip link add hub type bridge && ip link set hub up && ip link set lo up")
        yield holder.pid
    finally:
        holder.kill()
        holder.wait()


def _plug_in(machine: Machine, hub: int, number: int) -> None:
    _in_net(hub, f"ip link add port{number} type veth peer name eth0 netns {machine.pid}")
    _in_net(hub, f"ip link set port{number} master hub up")
    _in_net(machine.pid, f"ip address add {machine.address}/24 dev eth0 && ip link set eth0 up")


def _in_net(pid: int, command: str) -> None:
    subprocess.run(["nsenter", f"--target={pid}", "--net", "sh", "-ec", command], check=True)


def _net(pid: int) -> str:
    return str(Path(f"/proc/{pid}/ns/net").readlink())


@contextmanager
def _booted(name: str) -> Iterator[int]:
    """The machine's first process, in a control group of its own: systemd makes itself at home there."""
    group = CGROUPS / ("unified" if (CGROUPS / "unified").exists() else "") / f"kuroshio-{os.getpid()}-{name}"
    base = Path(tempfile.mkdtemp(prefix="kuroshio-machine-"))
    group.mkdir()
    apart = ["unshare", *NAMESPACES, "--fork", "--kill-child", "--propagation=private"]
    script = f"echo 0 > {group}/cgroup.procs; exec {shlex.join([*apart, str(HERE / 'boot.sh'), str(base), name])}"
    with (base.with_suffix(".log")).open("w") as log:
        keeper = subprocess.Popen(["sh", "-ec", script], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield _until(lambda: _child(keeper.pid), f"{name} has a first process")
    finally:
        keeper.kill()
        keeper.wait()
        _until(lambda: _is_removed(group), f"{name} is gone")
        shutil.rmtree(base)
        base.with_suffix(".log").unlink()


def _is_removed(group: Path) -> bool:
    """Remove the control groups of a machine; one whose last process is just ending is busy."""
    try:
        for folder in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
            folder.rmdir()
        group.rmdir()
    except OSError:
        return False
    return True


def _child(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else 0


def _await_boot(machine: Machine) -> None:
    def has_booted() -> bool:
        return machine.try_to("systemctl is-system-running --wait").stdout.strip() in ("running", "degraded")

    _until(has_booted, f"{machine.name} has booted")


def _until(holds: Callable[[], Held], what: str) -> Held:
    end = time.monotonic() + BOOT_SECONDS
    while not (held := holds()):
        assert time.monotonic() < end, f"waited {BOOT_SECONDS:g} s in vain until {what}"
        time.sleep(0.02)
    return held

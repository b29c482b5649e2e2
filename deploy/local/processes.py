"""The stack's processes as the kernel knows them, whoever started them: found by marks, ended by pid.

A process is ours if its environment carries our mark, which the supervisor gives to all that it starts;
or, since PostgreSQL writes its title over its environment, if it is a `postgres` in one of our clusters.
"""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.local.say import StackError

STATE_MARK = "KUROSHIO_STACK_STATE"
SITE_MARK = "KUROSHIO_STACK_SITE"
NAME_MARK = "SUPERVISOR_PROCESS_NAME"  # the supervisor's own
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE_SECONDS = 15.0
KILL_SECONDS = 10.0


@dataclass(frozen=True)
class Process:
    """A living process; `program` is the supervisor's name for what it belongs to."""

    pid: int
    site: str
    program: str
    command: str

    @property
    def folder(self) -> Path:
        return Path("/proc") / str(self.pid)

    def pss_bytes(self) -> int:
        """Its share of memory: what it shares with others counts in part."""
        try:
            lines = (self.folder / "smaps_rollup").read_text().splitlines()
        except OSError:
            return 0
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))

    def cpu_seconds(self) -> float:
        """What it has used since it started, without children that have ended."""
        try:
            fields = (self.folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / TICKS


def ours(state: Path) -> list[Process]:
    """The processes of the stack with this state folder; a zombie is gone."""
    return [process for pid in _pids() if (process := _inspect(pid, state)) is not None]


def _pids() -> Iterator[int]:
    own = os.getpid()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != own:
            yield int(entry.name)


def _inspect(pid: int, state: Path) -> Process | None:
    folder = Path("/proc") / str(pid)
    try:
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        if not command:
            return None  # a thread of the kernel, or a zombie
        site = _cluster_site(folder, state)
        if site:
            return Process(pid, site, f"{site}-postgres", command)
        return _marked(pid, folder, state, command)
    except OSError:
        return None  # somebody else's, or ended meanwhile


def _cluster_site(folder: Path, state: Path) -> str:
    """The site in whose cluster a PostgreSQL process works."""
    if (folder / "comm").read_text().strip() not in ("postgres", "postmaster"):
        return ""
    work = Path(str((folder / "cwd").readlink()).removesuffix(" (deleted)"))
    return work.parent.name if work.name == "pg" and work.parent.parent == state else ""


def _marked(pid: int, folder: Path, state: Path, command: str) -> Process | None:
    environment = dict(
        entry.partition("=")[::2] for entry in (folder / "environ").read_bytes().decode(errors="replace").split("\0")
    )
    if environment.get(STATE_MARK) != str(state):
        return None
    return Process(pid, environment.get(SITE_MARK, ""), environment.get(NAME_MARK, "supervisord"), command)


def end_all(state: Path) -> int:
    """End every process of the stack, gently and then for certain; returns how many there were."""
    found = ours(state)
    for process in found:
        _signal(process.pid, _gentle(process, state))
    if not await_gone(state, PATIENCE_SECONDS):
        for process in ours(state):
            _signal(process.pid, signal.SIGKILL)
        if not await_gone(state, KILL_SECONDS):
            left = ", ".join(f"{process.pid} ({process.command[:60]})" for process in ours(state))
            raise StackError(f"these processes do not end: {left}")
    return len(found)


def _gentle(process: Process, state: Path) -> int:
    """PostgreSQL's fast shutdown for its first process, nothing for its children; else SIGTERM."""
    if not process.program.endswith("-postgres"):
        return signal.SIGTERM
    pidfile = state / process.site / "pg" / "postmaster.pid"
    leader = pidfile.read_text().split("\n", 1)[0] if pidfile.exists() else ""
    return signal.SIGINT if leader == str(process.pid) else 0


def await_gone(state: Path, seconds: float = PATIENCE_SECONDS) -> bool:
    """Wait until the stack has no process; returns whether that came true."""
    end = time.monotonic() + seconds
    while ours(state):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return

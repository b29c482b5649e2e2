"""Private stacks for tests and benchmarks: their own ports, their own folder, nothing left afterwards."""

import fcntl
import socket
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from deploy.local.say import Say
from deploy.local.stack import Stack
from sitecfg import load
from sitecfg.example import write

FIRST_PORT, LAST_PORT, STEP = 26_000, 32_000, 400  # below the ports that the kernel gives to clients


@contextmanager
def private_ports() -> Iterator[int]:
    """The base of a range of ports that no other test run of this machine uses meanwhile."""
    for base in range(FIRST_PORT, LAST_PORT, STEP):
        with (Path(tempfile.gettempdir()) / f"kuroshio-ports-{base}").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if all(_is_free(port) for port in range(base, base + STEP)):
                yield base
                return
    raise AssertionError("no range of 400 ports is free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def running_stack(
    folder: Path,
    *,
    sites: Sequence[str] = ("taipei", "kaohsiung"),
    infrastructure_only: bool = False,
    rules: str = "",
    app: bool = False,
    rate: str = "100Mbit",
    limits: str = "",
    skewed: Iterable[str] = (),
    watched: int = 0,
    disk: str = "",
) -> Iterator[Stack]:
    """A stack that is up; it and its state are gone afterwards, also if it did not come up.

    With `disk`, for example `2g`, each site lies on a disk of its own of that size, in memory. That takes root.
    """
    with private_ports() as base_port, ExitStack() as disks:
        write(folder, sites=sites, base_port=base_port, rules=rules, app=app, rate=rate, watched=watched, limits=limits)
        stack = Stack(load(folder), Say(), skewed=skewed)
        try:
            for name in sites if disk else ():
                disks.enter_context(_disk(stack.layout.site(name), disk))
            stack.up(infrastructure_only=infrastructure_only)
            yield stack
        finally:
            stack.down()
            disks.close()
            stack.reset()


@contextmanager
def _disk(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "kuroshio", folder], check=True)
    yield
    subprocess.run(["umount", folder], check=True)

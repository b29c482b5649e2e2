"""Faults as they are inflicted on running sites: each is a block, and all is as before when the block has ended."""

import errno
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local import postgres
from deploy.local.wan.client import Lines
from tests.chaos.plan import Fault
from tests.stack.proof.sites import Sites, until

LOW_BYTES = 100 * 2**20  # less than what brokers want to have free: they take no more messages
SLOW = {"rate": "64kbit", "delay": "200ms"}
AS_BEFORE = {"rate": "full", "delay": "0ms"}
RECOVERY_SECONDS = 180.0
STRIKES_DATABASE = ("kill postgres", "disk full")
"""While these last, and until the database answers again, nobody can write: that says nothing of replication."""

Inflict = Callable[[Sites, Fault], AbstractContextManager[None]]


@dataclass(frozen=True)
class Inflicted:
    """A fault that was, from when it struck until its site had recovered (`time.monotonic`)."""

    fault: Fault
    began: float
    ended: float


class Lane(threading.Thread):
    """Inflicts one fault after another until there are no more of them."""

    def __init__(self, name: str, sites: Sites, faults: Iterable[Fault]) -> None:
        super().__init__(name=f"lane of {name}", daemon=True)
        self._sites, self._faults = sites, faults
        self.inflicted: list[Inflicted] = []
        self.fault: BaseException | None = None

    def run(self) -> None:
        try:
            for fault in self._faults:
                time.sleep(fault.rest_seconds)
                self._inflict(fault)
        except BaseException as fault:  # noqa: BLE001  who waits for the lanes raises it
            self.fault = fault

    def _inflict(self, fault: Fault) -> None:
        print(f"  {time.strftime('%H:%M:%S')} {fault}", flush=True)
        began = time.monotonic()
        with KINDS[fault.kind](self._sites, fault):
            time.sleep(fault.lasting_seconds)
        self.inflicted.append(Inflicted(fault, began, time.monotonic()))


# -- programs ---------------------------------------------------------------------------------------------------------


@contextmanager
def _kill(sites: Sites, fault: Fault) -> Iterator[None]:
    """The supervisor starts it again at once."""
    program = _program(fault)
    before = until(f"{program} is killed", lambda: sites.stack.kill(program), RECOVERY_SECONDS)
    yield
    pid = sites.stack.supervisor.pid
    until(f"{program} is another", lambda: pid(program) not in (0, before), RECOVERY_SECONDS)
    _await_database(sites, fault)


@contextmanager
def _freeze(sites: Sites, fault: Fault) -> Iterator[None]:
    program = _program(fault)
    pid = until(f"{program} stands still", lambda: sites.stack.kill(program, signal.SIGSTOP), RECOVERY_SECONDS)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def _restart(sites: Sites, fault: Fault) -> Iterator[None]:
    sites.stack.stop(_program(fault))
    yield
    sites.stack.start(_program(fault))


def _program(fault: Fault) -> str:
    return f"{fault.site}-{fault.kind.split()[-1]}"


def _await_database(sites: Sites, fault: Fault) -> None:
    site = sites.stack.site(fault.site)
    until(f"PostgreSQL of {site.name} answers", lambda: postgres.is_ready(site), RECOVERY_SECONDS)


# -- lines ------------------------------------------------------------------------------------------------------------


def _lines(fault: Fault) -> Lines:
    scope = fault.kind.split()[-1]
    if scope == "way":
        return Lines(sender=fault.site, receiver=fault.peer)
    return Lines(site=fault.site, peer=None if scope == "site" else fault.peer)


@contextmanager
def _cut(sites: Sites, fault: Fault) -> Iterator[None]:
    sites.stack.wan.cut(_lines(fault), mode="reset" if fault.kind.startswith("reset") else "silence")
    yield
    sites.stack.wan.heal(_lines(fault))


@contextmanager
def _slow(sites: Sites, fault: Fault) -> Iterator[None]:
    sites.stack.wan.shape(_lines(fault), **SLOW)
    yield
    sites.stack.wan.shape(_lines(fault), **AS_BEFORE)


# -- the ground -------------------------------------------------------------------------------------------------------


@contextmanager
def _clock(sites: Sites, fault: Fault) -> Iterator[None]:
    clock = sites.stack.layout.clock(fault.site)
    clock.write_text(f"{fault.clock_seconds:+d}\n")
    yield
    clock.write_text("+0\n")


@contextmanager
def _disk(sites: Sites, fault: Fault) -> Iterator[None]:
    """Fill the site's disk, to the last byte or until its broker takes no more.

    A broker that met the last byte may stay ill when there is room again, and is started anew (deploy/RUNBOOK.md).
    """
    ballast = sites.stack.layout.site(fault.site) / "ballast"
    _fill(ballast, leave=LOW_BYTES if fault.kind == "disk low" else 0)
    try:
        yield
    finally:
        ballast.unlink()
    if fault.kind == "disk full":
        broker = f"{fault.site}-broker"
        sites.stack.stop(broker)
        sites.stack.start(broker)
    _await_database(sites, fault)


def _fill(ballast: Path, leave: int) -> None:
    with ballast.open("wb") as file:
        while True:
            disk = os.statvfs(ballast.parent)
            free = disk.f_bavail * disk.f_frsize - leave
            try:
                os.posix_fallocate(file.fileno(), 0, max(1, free))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
            else:
                return


KINDS: Mapping[str, Inflict] = {
    **{f"kill {program}": _kill for program in ("postgres", "broker", "capture", "apply", "control")},
    **{f"freeze {program}": _freeze for program in ("broker", "capture", "apply")},
    "restart broker": _restart,
    **dict.fromkeys(("cut site", "cut line", "cut one way", "reset line"), _cut),
    **dict.fromkeys(("slow site", "slow line"), _slow),
    "clock": _clock,
    "disk full": _disk,
    "disk low": _disk,
}

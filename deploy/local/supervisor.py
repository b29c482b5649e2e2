"""supervisord: its configuration, and its orders over the socket in the state folder.

Nothing starts by itself, since the order matters; what was started comes back when it dies.
The supervisor and all that it starts carry a mark in their environment, by which they are found without it.
"""

import http.client
import os
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from deploy.local.account import is_root
from deploy.local.layout import Layout, put
from deploy.local.processes import SITE_MARK, STATE_MARK
from deploy.local.programs import Program
from deploy.local.say import StackError

STOP_SECONDS = 25
START_SECONDS = 20.0
ANSWER_SECONDS = 10.0
WITHOUT_WAITING = False
RUNNING, STOPPED = "RUNNING", {"STOPPED", "EXITED", "FATAL"}

HEADER = """\
; Made anew by every `make up`.
[unix_http_server]
file = {socket}
chmod = 0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisord]
logfile = {folder}/supervisord.log
logfile_maxbytes = 5MB
logfile_backups = 1
pidfile = {folder}/supervisord.pid
childlogdir = {folder}
directory = /
umask = 077
minfds = 1024
{user}
[supervisorctl]
serverurl = unix://{socket}
"""

PROGRAM = """
[program:{name}]
command = {command}
directory = {directory}
environment = {environment}
autostart = false
autorestart = true
startsecs = 1
startretries = 1000000
stopsignal = {stop_signal}
stopwaitsecs = {stop_seconds}
killasgroup = true
redirect_stderr = true
stdout_logfile = {log}
stdout_logfile_maxbytes = 10MB
stdout_logfile_backups = 2
"""


def configure(layout: Layout, programs: Iterable[Program]) -> bool:
    """Write supervisord's configuration; returns whether it changed."""
    header = HEADER.format(
        socket=_escaped(str(layout.socket)),
        folder=_escaped(str(layout.supervisor)),
        user="user = root\n" if is_root() else "",
    )
    return put(layout.supervisor / "supervisord.conf", header + "".join(map(_section, programs)))


def _section(program: Program) -> str:
    environment = {**program.environment, SITE_MARK: program.site}
    return PROGRAM.format(
        name=program.name,
        command=" ".join(map(_quoted, program.command)),
        directory=_escaped(str(program.directory)),
        environment=",".join(f"{name}={_quoted(value)}" for name, value in sorted(environment.items())),
        stop_signal=program.stop_signal,
        stop_seconds=STOP_SECONDS,
        log=_escaped(str(program.log)),
    )


def _quoted(value: str) -> str:
    return '"' + _escaped(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escaped(value: str) -> str:
    return value.replace("%", "%%")


class Supervisor:
    """The supervisor of one state folder, running or not."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def is_running(self) -> bool:
        try:
            return bool(self._call("getState")["statename"] == "RUNNING")
        except (OSError, http.client.HTTPException):
            return False

    def start(self) -> None:
        """Start supervisord, which leaves this terminal, and wait until it answers."""
        conf = str(self._layout.supervisor / "supervisord.conf")
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", conf]
        marked = {**os.environ, STATE_MARK: str(self._layout.state)}
        started = subprocess.run(command, capture_output=True, text=True, cwd="/", env=marked, check=False)
        if started.returncode:
            raise StackError(f"the supervisor did not start:\n{started.stdout}{started.stderr}")
        wait_until("the supervisor answers", self.is_running, START_SECONDS)

    def shut_down(self) -> None:
        """Ask supervisord to end, once all has stopped: by itself it stops a program a second."""
        self._call("shutdown")

    def start_programs(self, names: Iterable[str]) -> None:
        """Start those that do not run; returns without waiting for them."""
        states = self.states()
        for name in names:
            if states[name] in STOPPED:
                self._call("startProcess", name, WITHOUT_WAITING)

    def stop_programs(self, names: Iterable[str]) -> None:
        """Stop these together and wait until they have ended."""
        names = list(names)
        states = self.states()
        for name in names:
            if states[name] not in STOPPED:
                self._stop(name)
        wait_until(
            f"{', '.join(names)} have stopped",
            lambda: all(self.states()[name] in STOPPED for name in names),
            STOP_SECONDS + ANSWER_SECONDS,
        )

    def _stop(self, name: str) -> None:
        try:
            self._call("stopProcess", name, WITHOUT_WAITING)
        except xmlrpc.client.Fault as fault:
            if "NOT_RUNNING" not in fault.faultString:  # it ended by itself meanwhile
                raise

    def wait_running(self, names: Iterable[str], seconds: float) -> None:
        names = list(names)
        wait_until(
            f"{', '.join(names)} run; their logs are in {self._layout.state}",
            lambda: all(self.states()[name] == RUNNING for name in names),
            seconds,
        )

    def states(self) -> dict[str, str]:
        """Each program's state in supervisord's words."""
        return {info["name"]: info["statename"] for info in self._call("getAllProcessInfo")}

    def pid(self, name: str) -> int:
        """The program's process; 0 while it does not run."""
        return int(self._call("getProcessInfo", name)["pid"])

    def _call(self, method: str, *arguments: object) -> Any:
        with closing(SupervisorTransport(None, None, f"unix://{self._layout.socket}")) as transport:
            return getattr(xmlrpc.client.ServerProxy("http://127.0.0.1", transport).supervisor, method)(*arguments)


def wait_until(what: str, holds: Callable[[], bool], seconds: float) -> None:
    """Wait with a deadline; raises StackError that says for what."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise StackError(f"waited {seconds:g} s in vain until {what}")
        time.sleep(0.05)

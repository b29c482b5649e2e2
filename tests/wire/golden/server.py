"""A private PostgreSQL with pglogical for as long as a ``with`` lasts: own folder, own socket, no TCP port."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BINARIES = Path("/usr/lib/postgresql/15/bin")
_SETTINGS = {
    "wal_level": "logical",
    "shared_preload_libraries": "pglogical",
    "listen_addresses": "",
    "fsync": "off",
    "max_worker_processes": "4",
    # What a server may be set to, and values must not depend on:
    "timezone": "Asia/Taipei",
    "datestyle": "German,DMY",
    "intervalstyle": "iso_8601",
    "bytea_output": "escape",
    "extra_float_digits": "0",
}


@contextmanager
def private_server() -> Iterator[str]:
    """The conninfo of a new, empty database cluster."""
    folder = Path(tempfile.mkdtemp(prefix="wire"))
    if os.getuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    data = folder / "data"
    try:
        _run("initdb", "-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-A", "trust", "-N")
        settings = _SETTINGS | {"unix_socket_directories": str(folder)} | _plugin_permission()
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        _run("pg_ctl", "-D", data, "-w", "-t", "60", "-o", options, "-l", folder / "log", "start")
        try:
            yield f"host={folder} user=postgres dbname=postgres"
        finally:
            _run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _plugin_permission() -> dict[str, str]:
    """Newer minor releases want output plugins named; older ones do not start with that setting: ask the binary."""
    known = "output_plugin_libraries" in _run("postgres", "--describe-config")
    return {"output_plugin_libraries": "pglogical,pglogical_output"} if known else {}


def _run(program: str, *arguments: str | Path) -> str:
    """PostgreSQL's programs refuse to run as root."""
    become = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups") if os.getuid() == 0 else ()
    command = [*become, str(BINARIES / program), *map(str, arguments)]
    done = subprocess.run(command, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{program} failed: {done.stdout}{done.stderr}")
    return done.stdout

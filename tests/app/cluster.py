"""A PostgreSQL of the run's own: unprivileged, without fsync, gone afterwards."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.account import hand_over, unprivileged
from deploy.local.postgres import BIN
from tests.stack.stack import private_ports


@contextmanager
def running_cluster() -> Iterator[int]:
    """The port of a cluster that trusts whoever reaches it on loopback."""
    folder = Path(tempfile.mkdtemp(prefix="kuroshio-pg-"))
    hand_over(folder)
    data, log = folder / "data", folder / "log"
    with private_ports() as base:
        port = base + 1
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c timezone=UTC"
        try:
            _run("initdb", "-D", data, "-E", "UTF8", "--locale=C.UTF-8", "-A", "trust", "-U", "postgres")
            _run("pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "-t", "30", "start")
            yield port
        finally:
            if (data / "postmaster.pid").exists():
                _run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
            shutil.rmtree(folder)


def _run(program: str, *arguments: object) -> None:
    command = [*unprivileged(), str(BIN / program), *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=60)

"""An ordinary user runs the local sites without root: no sudo, no capability, nothing but the packages."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local import account, processes
from sitecfg.example import write
from tests.stack.stack import private_ports

ROOT = Path(__file__).resolve().parents[2]
NAME = "kuroshio-test"
PACKAGES = ["sitecfg", "replication", "monitoring", "deploy"]
LIBRARIES = ["annotated_types", "cffi", "cryptography", "pika", "psycopg", "psycopg_binary*", "pydantic*", "supervisor"]
LIBRARIES += ["_cffi_backend*", "typing_extensions.py", "typing_inspection", "tzdata"]


@dataclass(frozen=True)
class Account:
    """The user, its home with a copy of the programs, and how to run them as that user."""

    uid: int
    home: Path
    python: Path

    def local(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [*self._change(), str(self.python), "-m", "deploy.local", *arguments]
        environment = {"HOME": str(self.home), "PATH": os.environ["PATH"], "PYTHONPATH": f"{self.home}:{self.home}/lib"}
        return subprocess.run(command, cwd=self.home, env=environment, capture_output=True, text=True, check=False)

    def _change(self) -> list[str]:
        if not account.is_root():
            return []
        change = ["setpriv", f"--reuid={self.uid}", f"--regid={pwd.getpwuid(self.uid).pw_gid}", "--clear-groups"]
        return [*change, "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]


@pytest.fixture(scope="module")
def user() -> Iterator[Account]:
    home = Path(tempfile.mkdtemp(prefix="kuroshio-user-"))
    made = account.is_root() and not _exists(NAME)
    if made:
        subprocess.run(["useradd", "--no-create-home", "--home-dir", home, "--shell", "/bin/sh", NAME], check=True)
    _copy_programs(home)
    yield Account(pwd.getpwnam(NAME).pw_uid if account.is_root() else os.getuid(), home, _reachable_python())
    shutil.rmtree(home)
    if made:
        subprocess.run(["userdel", NAME], check=True)


def _exists(name: str) -> bool:
    return any(entry.pw_name == name for entry in pwd.getpwall())


def _copy_programs(home: Path) -> None:
    """The checkout and its environment may lie in folders that are closed to others."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, home / package, ignore=shutil.ignore_patterns("__pycache__"))
    library = Path(sysconfig.get_path("purelib"))
    (home / "lib").mkdir()
    for pattern in LIBRARIES:
        for found in library.glob(pattern):
            copy = shutil.copytree if found.is_dir() else shutil.copy2
            copy(found, home / "lib" / found.name)


def _reachable_python() -> Path:
    """This interpreter, if its folders are open to others; else Debian's of the same version."""
    own = Path(sys.executable).resolve()
    if not account.is_root() or all(parent.stat().st_mode & stat.S_IXOTH for parent in own.parents):
        return own
    return Path(f"/usr/bin/python3.{sys.version_info.minor}")


def test_an_ordinary_user_starts_and_stops_the_sites_in_a_private_folder(user: Account) -> None:
    with private_ports() as base_port:
        config = write(user.home / "config", sites=["taipei", "kaohsiung"], base_port=base_port)
        user.home.chmod(0o700)
        subprocess.run(["chown", "-R", f"{user.uid}", user.home], check=True)
        try:
            up = user.local("up", "--only", "infrastructure", "--config", str(config))
            assert up.returncode == 0, up.stdout + up.stderr
            running = processes.ours(config / "state")
            assert {process.folder.stat().st_uid for process in running} == {user.uid}
            assert {process.program for process in running} >= {"taipei-postgres", "kaohsiung-broker", "wan"}
        finally:
            down = user.local("down", "--config", str(config))
        assert down.returncode == 0, down.stdout + down.stderr
        assert processes.ours(config / "state") == []

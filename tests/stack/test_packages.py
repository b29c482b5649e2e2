"""`deploy/packages.sh` says nothing when nothing is missing, and who can help when it cannot."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import account

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "packages.sh"
TOOLS = ("id", "env", "tee", "rm")
NOBODY = 65534


@pytest.fixture
def tools() -> Iterator[Path]:
    """A folder of programs that everybody may enter; there is no sudo among them."""
    folder = Path(tempfile.mkdtemp(prefix="kuroshio-tools-"))
    folder.chmod(0o755)
    for tool in TOOLS:
        (folder / tool).symlink_to(Path("/usr/bin") / tool)
    _program(folder / "apt-get", "echo apt-get was called")
    yield folder
    shutil.rmtree(folder)


def _program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def run(tools: Path) -> "subprocess.CompletedProcess[str]":
    """Run the script as an ordinary user, who finds nothing but these tools."""
    change = ["/usr/bin/setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    command = [*(change if account.is_root() else []), "/bin/sh", "-s"]
    script, environment = SCRIPT.read_text(), {"PATH": str(tools)}
    return subprocess.run(command, input=script, env=environment, capture_output=True, text=True, check=False)


def test_it_is_silent_when_nothing_is_missing(tools: Path) -> None:
    _program(tools / "dpkg-query", "echo installed")
    done = run(tools)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_root_and_sudo_it_names_what_is_missing_and_who_can_help(tools: Path) -> None:
    _program(tools / "dpkg-query", "echo not-installed")
    done = run(tools)
    assert done.returncode == 1
    assert "postgresql-15-pglogical" in done.stderr
    assert "let an administrator run deploy/packages.sh" in done.stderr
    assert done.stdout == ""


def test_on_another_system_it_names_what_is_missing(tools: Path) -> None:
    (tools / "apt-get").unlink()
    done = run(tools)
    assert done.returncode == 1
    assert "rabbitmq-server" in done.stderr
    assert "no apt-get" in done.stderr

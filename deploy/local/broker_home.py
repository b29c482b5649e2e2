"""RabbitMQ as installed, seen without the plugins that nobody uses here.

Erlang looks for each of its modules in every plugin's folder in turn, 50,000 times while a broker starts.
A home folder of links to what the broker itself needs makes four brokers start in half the time.
"""

import re
import shutil
from pathlib import Path

from deploy.local.say import StackError

INSTALLED = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # /usr/sbin has a wrapper for root and rabbitmq alone
ROOTS = ("rabbit", "rabbitmq_prelaunch")
PROMETHEUS = "rabbitmq_prometheus"


def check_installed() -> None:
    """Raise StackError unless RabbitMQ is there."""
    if not INSTALLED.exists():
        raise StackError("RabbitMQ is not installed: run deploy/packages.sh")


def server(home: Path) -> Path:
    """The program that starts a broker from this home."""
    return home / "sbin" / INSTALLED.name


def make(home: Path, *plugins: str) -> None:
    """Make the home for the RabbitMQ that is installed now, with these plugins."""
    installed = INSTALLED.resolve().parents[1]
    wanted = {home / part: installed / part for part in ("sbin", "escript")}
    wanted |= {home / "plugins" / folder.name: folder for folder in _needed(installed / "plugins", [*ROOTS, *plugins])}
    if all(link.is_symlink() and link.readlink() == target for link, target in wanted.items()):
        return
    if home.exists():
        shutil.rmtree(home)
    for link, target in wanted.items():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)


def _needed(plugins: Path, left: list[str]) -> list[Path]:
    """The folders of the broker's applications and of all that these name in turn."""
    folders = {folder.name.rpartition("-")[0]: folder for folder in plugins.iterdir() if folder.is_dir()}
    needed: set[str] = set()
    while left:
        name = left.pop()
        if name in folders and name not in needed:  # the others are Erlang's own
            needed.add(name)
            left += _applications(folders[name] / "ebin" / f"{name}.app")
    return [folders[name] for name in needed]


def _applications(app: Path) -> list[str]:
    """What an application's resource file says that it needs: https://www.erlang.org/doc/man/app.html"""
    named = re.search(r"\{applications,\s*\[([^\]]*)\]", app.read_text())
    return re.findall(r"\w+", named[1]) if named else []

"""Two sites on machines of their own: the example of a configuration, and the playbook run on them."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.local.layout import ROOT
from tests.stack.installation.machine import HERE, Machine

PLAYBOOK = ROOT / "deploy" / "ansible" / "site.yml"
EXAMPLE = ROOT / "deploy" / "example" / "sites"
ADDRESSES = {"taipei": "192.0.2.10", "us": "198.51.100.20"}
"""The sites of the example, and where their files say that they are."""


def write_configuration(folder: Path, addresses: Mapping[str, str]) -> Path:
    """The example's sites at these addresses, and the rules of the CRM."""
    (folder / "sites").mkdir(parents=True)
    for file in EXAMPLE.iterdir():
        text = file.read_text()
        for name, address in ADDRESSES.items():
            text = text.replace(address, addresses[name])
        (folder / "sites" / file.name).write_text(text)
    shutil.copytree(ROOT / "sitecfg" / "rules", folder / "rules")
    return folder


class Playbook:
    """The playbook, run on these machines from here."""

    def __init__(self, folder: Path, machines: Mapping[str, Machine], release: Path) -> None:
        self._folder = folder
        config = write_configuration(folder / "config", {name: one.address for name, one in machines.items()})
        (folder / "machines").mkdir()
        for name, machine in machines.items():
            (folder / "machines" / name).write_text(str(machine.pid))
        hosts = {name: {"kuroshio_address": one.address} for name, one in machines.items()}
        told = {
            "kuroshio_release": str(release),
            "kuroshio_config": str(config),
            "kuroshio_apt_update": False,  # the machines have no other network than their own
            "kuroshio_shared_buffers": 64,
            "kuroshio_authority": str(folder / "authority"),
            "kuroshio_python": sys.executable,
            "kuroshio_https": False,
            "ansible_become": False,
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        self.changes: list[tuple[str, str]] = []
        """Of the last run: what was changed, and (first) where."""
        self.inventory = folder / "inventory.json"
        self.inventory.write_text(json.dumps({"kuroshio": {"hosts": hosts, "vars": told}}))

    def run(self, *arguments: str) -> dict[str, dict[str, int]]:
        """What it counted for each host: ok, changed, failed, …"""
        said = self.here(shlex.join(["ansible-playbook", "--inventory", "inventory.yml", str(PLAYBOOK), *arguments]))
        self.changes = re.findall(r"^TASK \[(.*?)\] \**\n(?:(?!TASK).*\n)*?changed: \[(.*?)\]", said, re.MULTILINE)
        return recap(said)

    def here(self, command: str) -> str:
        """Run a command as an administrator types it in the checkout, with the inventory of these machines."""
        command = command.replace("inventory.yml", str(self.inventory))
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-euc", command],
            cwd=ROOT,
            env={**os.environ, **self._environment(), "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-6000:]}{done.stderr[-2000:]}"
        return done.stdout

    def _environment(self) -> dict[str, str]:
        return {
            "MACHINES": str(self._folder / "machines"),
            "ANSIBLE_SSH_EXECUTABLE": str(HERE / "enter.sh"),
            "ANSIBLE_SSH_TRANSFER_METHOD": "piped",
            "ANSIBLE_SSH_ARGS": "",
            "ANSIBLE_PIPELINING": "True",
            "ANSIBLE_LOCAL_TEMP": str(self._folder / "ansible"),
            "ANSIBLE_NOCOLOR": "True",
        }


def recap(output: str) -> dict[str, dict[str, int]]:
    """The last lines of a run: `taipei : ok=40 changed=0 …`."""
    lines = re.findall(r"^(\S+)\s+: (ok=.*)$", output, re.MULTILINE)
    return {host: {key: int(number) for key, number in re.findall(r"(\w+)=(\d+)", counts)} for host, counts in lines}

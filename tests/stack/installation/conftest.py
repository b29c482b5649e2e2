"""The tests of the installation share two machines, installed by the playbook: it takes longer than most tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.release import release
from tests.stack.installation.machine import Machine, machines
from tests.stack.installation.sites import ADDRESSES, Playbook
from tests.stack.proof.sites import until

SITES = tuple(ADDRESSES)
PROGRAMS = ("kuroshio-capture", "kuroshio-apply", "kuroshio-control", "kuroshio-exporter", "kuroshio-web")


@pytest.fixture(scope="package")
def bare_machines() -> Iterator[dict[str, Machine]]:
    if os.getuid():
        pytest.skip("a machine within this one takes root")
    with machines(SITES) as made:
        yield made


@pytest.fixture(scope="package")
def playbook(bare_machines: dict[str, Machine], tmp_path_factory: pytest.TempPathFactory) -> Playbook:
    archive: Path = release("tested")
    return Playbook(tmp_path_factory.mktemp("playbook"), bare_machines, archive)


@pytest.fixture(scope="package")
def hosts(bare_machines: dict[str, Machine], playbook: Playbook) -> dict[str, Machine]:
    """Both sites as the playbook has made them, hearing each other."""
    playbook.run()
    for name, machine in bare_machines.items():
        until(f"{name} hears its peer", lambda: "running" in reading(machine), 90, lambda: words(machine))  # noqa: B023
    return bare_machines


def reading(machine: Machine) -> str:
    return sql(machine, "select state from kuroshio.reading")


def sql(machine: Machine, statement: str) -> str:
    """Run in the site's database, as PostgreSQL's own user."""
    return machine.run(
        f"runuser -u postgres -- psql -qtAX -v ON_ERROR_STOP=1 crm <<'KUROSHIO'\n{statement}\nKUROSHIO"
    ).strip()


def words(machine: Machine) -> str:
    """What the programs last said."""
    units = " ".join(f"--unit={name}" for name in PROGRAMS)
    return machine.try_to(f"journalctl --no-pager --lines=40 --output=cat {units}").stdout

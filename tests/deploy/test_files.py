"""What needs no machine to be checked: the playbook's and the compose file's form, and what follows from site files."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deploy.certificates import Authority, provide
from deploy.host.exchange import handovers, passwords
from deploy.host.files import SERVERS
from deploy.local import credentials
from deploy.local.layout import ROOT
from sitecfg import Config, load
from tests.stack.installation.sites import ADDRESSES, write_configuration

BIN = Path(sys.executable).parent
DEPLOY = ROOT / "deploy"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The example's, with the secrets of its hosts below a folder of the test."""
    folder = write_configuration(tmp_path / "config", ADDRESSES)
    for file in (folder / "sites").iterdir():
        file.write_text(file.read_text().replace("/etc/kuroshio", str(tmp_path)).replace("/var/lib", str(tmp_path)))
    return load(folder)


def run(*command: object) -> None:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ansible_lint_finds_nothing_in_the_playbook() -> None:
    run(
        BIN / "ansible-lint",
        "--offline",
        "--profile",
        "production",
        "--project-dir",
        DEPLOY / "ansible",
        DEPLOY / "ansible",
    )


def test_the_compose_file_holds_to_the_schema_of_compose_files() -> None:
    run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose" / "compose.yaml")


def test_the_containers_run_what_a_host_runs() -> None:
    services = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())["services"]
    commands = {" ".join(service["command"][1:3]) for service in services.values()}
    units = (unit.read_text() for unit in (DEPLOY / "systemd").glob("kuroshio-*.service"))
    asked = {" ".join(re.findall(r"ExecStart=\S+ -m (\S+) (\S+)", unit)[0]) for unit in units}
    assert asked
    assert asked <= commands


@pytest.mark.parametrize("script", sorted(DEPLOY.rglob("*.sh")), ids=lambda path: path.name)
def test_shell_scripts_can_be_parsed(script: Path) -> None:
    run("sh", "-n", script)


def test_what_a_site_takes_from_another_is_made_there(config: Config) -> None:
    """At the same place on both hosts: a path that one site's file names is the other's, too."""
    for site in config.sites.values():
        for taken in handovers(config, site):
            maker = config.site(taken.maker)
            assert taken.path in {*passwords(config, maker), maker.keys.public(maker.name)}


def test_the_inventory_and_the_site_files_of_the_example_name_the_same_addresses() -> None:
    inventory = (DEPLOY / "ansible" / "inventory.example.yml").read_text()
    assert all(f"kuroshio_address: {address}\n" in inventory for address in ADDRESSES.values())


def test_no_site_takes_what_only_its_maker_may_have(config: Config) -> None:
    for site in config.sites.values():
        own = {site.database.password_file, site.broker.password_file, site.keys.own, site.keys.mask}
        assert not own & {taken.path for taken in handovers(config, site)}


def test_servers_are_told_what_the_local_sites_servers_are_told(config: Config) -> None:
    site = config.site("taipei")
    for path in passwords(config, site):
        credentials.make_password(path)
    provide(Authority(site.keys.directory.parent / "authority"), [site])
    made = (file for files in SERVERS.values() for file in files(config, site, ADDRESSES["taipei"]))
    written = {file.path.name: file for file in made}
    assert "wal_level = logical" in written["kuroshio.conf"].text
    assert "max_slot_wal_keep_size = 6144MB" in written["kuroshio.conf"].text
    assert "listeners.ssl.default = 192.0.2.10:5671" in written["rabbitmq.conf"].text
    assert "tcp_listen_options.sndbuf = 16384" in written["rabbitmq.conf"].text
    users = {user["name"] for user in json.loads(written["definitions.json"].text)["users"]}
    assert users == {"kuroshio", "us"}
    assert (written["definitions.json"].mode, written["definitions.json"].group) == (0o640, "rabbitmq")

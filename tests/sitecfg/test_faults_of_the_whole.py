"""What the files must agree on among themselves is checked, and all of it at once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sitecfg import ConfigError, Fault, load

from .conftest import Breaker

Faults = Callable[[], tuple[Fault, ...]]


def keys(faults: tuple[Fault, ...]) -> set[tuple[str, str]]:
    return {(fault.file, fault.key) for fault in faults}


def test_two_sites_cannot_share_a_number(change: Breaker, faults: Faults) -> None:
    change("sites/us.toml", "number = 2", "number = 1")
    assert keys(faults()) == {("sites/us.toml", "number")}


def test_two_sites_cannot_share_a_name(change: Breaker, faults: Faults) -> None:
    change("sites/us.toml", 'name = "us"', 'name = "taipei"')
    assert ("sites/us.toml", "name") in keys(faults())


def test_a_site_file_is_called_after_its_site(directory: Path, faults: Faults) -> None:
    (directory / "sites/us.toml").rename(directory / "sites/usa.toml")
    assert ("sites/usa.toml", "name") in keys(faults())


def test_one_site_at_most_is_headquarters(change: Breaker, faults: Faults) -> None:
    change("sites/us.toml", '"branch"', '"headquarters"')
    (fault,) = faults()
    assert (fault.key, fault.message) == ("role", "sites/taipei.toml is headquarters already")


def test_every_site_has_every_other_as_peer(change: Breaker, faults: Faults) -> None:
    change("sites/us.toml", "[peers.berlin]", "[peers.berlni]")
    assert {(fault.key, fault.message, fault.hint.partition(":")[0]) for fault in faults()} == {
        ("peers.berlin", "missing", "every site reaches every other"),
        ("peers.berlni", "no site is called so", "did you mean berlin?"),
    }


def test_a_site_is_no_peer_of_itself(change: Breaker, faults: Faults) -> None:
    change("sites/us.toml", "[peers.berlin]", "[peers.us]")
    assert ("sites/us.toml", "peers.us") in keys(faults())


@pytest.mark.parametrize(
    ("file", "port", "key"),
    [
        ("sites/us.toml", 26002, "database.port"),
        ("sites/us.toml", 26102, "broker.port"),
        ("sites/us.toml", 26132, "broker.tls_port"),
        ("sites/us.toml", 26302, "web.port"),
        ("sites/us.toml", 26312, "metrics.capture_port"),
        ("sites/us.toml", 26322, "metrics.apply_port"),
        ("sites/us.toml", 26223, "peers.berlin.port"),
        ("local.toml", 26390, "epmd_port"),
        ("local.toml", 26391, "wan_control_port"),
    ],
)
def test_one_machine_gives_a_port_once(change: Breaker, faults: Faults, file: str, port: int, key: str) -> None:
    change(file, str(port), "26001")
    (fault,) = faults()
    assert (fault.file, fault.key, fault.message) == (file, key, "port 26001 is taken")
    assert "sites/taipei.toml: database.port" in fault.hint


@pytest.mark.parametrize("user", ["berlin", "kuroshio"])
def test_at_a_broker_each_site_is_somebody_else(change: Breaker, faults: Faults, user: str) -> None:
    change("sites/us.toml", 'user = "us"', f'user = "{user}"')
    assert {(fault.key, fault.hint) for fault in faults()} <= {
        ("peers.taipei.user", 'say user = "us"'),
        ("peers.taipei.user", 'say user = "berlin"'),
    }
    assert faults()


def test_sites_on_machines_of_their_own_may_use_the_same_ports(directory: Path, change: Breaker) -> None:
    (directory / "local.toml").unlink()
    change("sites/us.toml", "26002", "26001")
    assert len(load(directory).sites) == 3


def test_one_database_on_the_network_serves_one_site(directory: Path, change: Breaker, faults: Faults) -> None:
    (directory / "local.toml").unlink()
    for site, port in (("taipei", 26001), ("us", 26002)):
        change(f"sites/{site}.toml", f'host = "127.0.0.1"\nport = {port}', 'host = "10.0.0.1"\nport = 5432')
    assert keys(faults()) == {("sites/us.toml", "database.port")}


def test_a_table_has_its_rules_in_one_file(directory: Path, faults: Faults) -> None:
    (directory / "rules/second.toml").write_text('[table."public.customer"]\n', encoding="utf-8")
    (fault,) = faults()
    assert (fault.file, fault.message) == ("rules/second.toml", "rules/rules.toml has rules for it too")


def test_a_table_is_replicated_or_local(directory: Path, faults: Faults) -> None:
    (directory / "rules/local.toml").write_text('[local]\ntables = ["public.cust*"]\n', encoding="utf-8")
    (fault,) = faults()
    assert fault.message == "declared local by public.cust* too"


def test_all_faults_are_named_at_once(directory: Path, change: Breaker, faults: Faults) -> None:
    change("sites/taipei.toml", '"UTC"', '"Mars/Olympus"')
    change("sites/us.toml", "number = 2", "number = 3")
    change("sites/berlin.toml", "[web]", "[[web")
    change("rules/rules.toml", "owner =", "onwer =")
    change("local.toml", "app = false", 'app = "no"')
    assert {fault.file for fault in faults()} == {
        "sites/taipei.toml",
        "sites/berlin.toml",
        "rules/rules.toml",
        "local.toml",
    }


def test_a_faulty_file_makes_no_faults_elsewhere(change: Breaker, faults: Faults) -> None:
    change("sites/berlin.toml", "[web]", "[[web")
    assert {fault.file for fault in faults()} == {"sites/berlin.toml"}


def test_a_directory_without_sites_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no site files"):
        load(tmp_path / "nowhere")


def test_a_fault_reads_as_place_message_and_hint() -> None:
    error = ConfigError([Fault("b.toml", "x.y", "missing", "a hint"), Fault("a.toml", "", "not UTF-8")])
    assert str(error) == "a.toml: not UTF-8\nb.toml: x.y: missing\n    a hint"

"""What a good configuration says: the project's own, and the examples'."""

from pathlib import Path
from typing import get_args

import pytest

from sitecfg import CARRIABLE, ConfigError, load
from sitecfg.config import DEFAULT, ENVIRONMENT
from sitecfg.example import MOST_SITES, write
from sitecfg.rules import COLUMN_RULES, COMBINED, DELETE_RULES, PARENT_RULES, STAMP_ORDERED, UNIQUE_OUTCOMES
from sitecfg.rules_file import ColumnTable, OwnedTable, TableTable, UniqueTable


def test_the_projects_own_sites_are_these_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    config = load()
    assert [(site.name, site.number) for site in config.sites.values()] == [
        ("taipei", 1),
        ("kaohsiung", 2),
        ("shanghai", 3),
        ("us", 4),
    ]
    assert config.directory == DEFAULT
    assert config.local is not None
    assert config.local.state == DEFAULT.parent / ".kuroshio"


def test_the_environment_names_the_directory(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, str(directory))
    assert load().directory == directory.resolve()


def test_paths_start_at_the_directory_wherever_one_stands(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = directory / "sites/us.toml"
    text = site.read_text(encoding="utf-8")
    state = (directory / "state").resolve()
    site.write_text(text.replace(str(state), "../elsewhere"), encoding="utf-8")
    monkeypatch.chdir(directory.parent)
    keys = load(Path(directory.name)).sites["us"].keys
    assert keys.own == directory.parent.resolve() / "elsewhere/keys/us/site.key"
    assert keys.public("taipei").name == "taipei.pub"


def test_sites_come_by_number(tmp_path: Path) -> None:
    config = load(write(tmp_path, sites=["zulu", "alpha"], base_port=26000))
    assert list(config.sites) == ["zulu", "alpha"]


def test_an_unknown_site_is_named_with_those_there_are(directory: Path) -> None:
    with pytest.raises(ConfigError, match=r"no site is called paris\n.*taipei, us, berlin"):
        load(directory).site("paris")


@pytest.mark.parametrize(("rate", "thin"), [("64kbit", True), ("256kbit", True), ("257kbit", False), ("1Gbit", False)])
def test_a_line_is_thin_up_to_256_kbit(tmp_path: Path, rate: str, thin: bool) -> None:
    config = load(write(tmp_path, sites=["a", "b"], base_port=26000, rate=rate))
    assert config.sites["a"].peers["b"].thin is thin


def test_a_rate_is_counted_in_bits_and_in_bytes(tmp_path: Path) -> None:
    config = load(write(tmp_path, sites=["a", "b"], base_port=26000, rate="64kbit"))
    peer = config.sites["a"].peers["b"]
    assert (peer.rate, peer.rate_bytes_per_second) == (64_000, 8_000)


def test_the_rules_names_stand_in_one_list() -> None:
    def choices(table: type, key: str) -> tuple[str, ...]:
        return tuple(table.model_fields[key].annotation.__args__)  # type: ignore[attr-defined]

    assert choices(ColumnTable, "rule") == tuple(COLUMN_RULES) == tuple(CARRIABLE)
    assert set(choices(OwnedTable, "rule")) == STAMP_ORDERED < set(COLUMN_RULES)
    assert choices(TableTable, "delete") == DELETE_RULES
    assert choices(UniqueTable, "outcome") == UNIQUE_OUTCOMES
    assert get_args(get_args(TableTable.model_fields["parent"].annotation)[1]) == PARENT_RULES
    assert COMBINED.union(STAMP_ORDERED) <= set(COLUMN_RULES)
    assert STAMP_ORDERED.isdisjoint(COMBINED)


@pytest.mark.parametrize("count", range(1, MOST_SITES + 1))
def test_an_example_is_valid_and_keeps_to_its_ports(tmp_path: Path, count: int) -> None:
    names = [f"site{number}" for number in range(count)]
    config = load(write(tmp_path / "config", sites=names, base_port=27000, app=True, watched=1))
    assert list(config.sites) == names
    ports = [site.database.port for site in config.sites.values()]
    ports += [peer.port for site in config.sites.values() for peer in site.peers.values()]
    assert config.local is not None
    ports += [port for site in config.sites.values() for port in site.metrics.ports.values()]
    ports += config.local.ports.values()
    assert all(27000 < port < 27400 for port in ports)
    assert config.local.app
    assert config.local.wan_control == ("127.0.0.1", 27391)


def test_an_example_has_one_to_nine_sites(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 to 9 sites, not 10"):
        write(tmp_path, sites=list("abcdefghij"), base_port=27000)

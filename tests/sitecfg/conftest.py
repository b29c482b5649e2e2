"""A good configuration to break: each test changes one thing and looks at what is said."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sitecfg import ConfigError, Fault, example, load

Breaker = Callable[[str, str, str], None]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A good configuration of three sites and one table."""
    rules = '[table."public.customer"]\nowner = "owner_site"\n[table."public.customer".column]\nphone = "latest"\n'
    return example.write(tmp_path / "config", sites=["taipei", "us", "berlin"], base_port=26000, rules=rules)


@pytest.fixture
def change(directory: Path) -> Breaker:
    """Replace a text in a file of the configuration; the text must be there."""

    def replace(file: str, old: str, new: str) -> None:
        path = directory / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} does not stand in {file}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return replace


@pytest.fixture
def faults(directory: Path) -> Callable[[], tuple[Fault, ...]]:
    """Load the configuration and return what was said against it."""

    def found() -> tuple[Fault, ...]:
        with pytest.raises(ConfigError) as caught:
            load(directory)
        return caught.value.faults

    return found

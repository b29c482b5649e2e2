"""What is wrong with a configuration: every fault at once, each with its place and a way out."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, order=True)
class Fault:
    """One thing to mend.

    `file` is relative to the configuration directory where it lies within it; `key` is a dotted
    path inside the file, or `line 3, column 5` where the file is not TOML, or empty.
    """

    file: str
    key: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}: {self.key}" if self.key else self.file
        return f"{place}: {self.message}" + (f"\n    {self.hint}" if self.hint else "")


class Wrong(NamedTuple):
    """A fault inside one table: its key below the table (empty: the table itself), what, and the way out."""

    key: str
    message: str
    hint: str


class ConfigError(Exception):
    """The configuration cannot be used until somebody mends a file; `faults` says which and how."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(map(str, self.faults)))

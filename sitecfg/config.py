"""The whole configuration, checked."""

import os
from dataclasses import dataclass
from pathlib import Path

from .errors import ConfigError, Fault
from .files import Files, read_files
from .local import Local
from .rules import Rules
from .rules_file import as_rules
from .site import Site
from .whole import whole_faults

ENVIRONMENT = "KUROSHIO_CONFIG"
DEFAULT = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Config:
    """A directory's sites by number, its rules, and what the local sites need, if it says so.

    `rules_files` has the file in which each table's rules stand.
    """

    directory: Path
    sites: dict[str, Site]
    rules: Rules
    local: Local | None
    rules_files: dict[str, str]

    def site(self, name: str) -> Site:
        """Return a site; an unknown name is the caller's fault, and says which there are."""
        if name not in self.sites:
            hint = f"the sites are {', '.join(self.sites)}"
            raise ConfigError([Fault(str(self.directory), "", f"no site is called {name}", hint)])
        return self.sites[name]


def load(path: Path | None = None) -> Config:
    """Read and check a directory: the one given, else KUROSHIO_CONFIG's, else the project's own.

    Raises ConfigError with every fault that was found. Opens no secret.
    """
    directory = Path(path or os.environ.get(ENVIRONMENT) or DEFAULT).resolve()
    files = read_files(directory)
    faults = [*files.faults, *whole_faults(files)]
    if faults:
        raise ConfigError(faults)
    return _config(directory, files)


def _config(directory: Path, files: Files) -> Config:
    tables = {name: table for rules in files.rules.values() for name, table in rules.table.items()}
    local = [pattern for rules in files.rules.values() for pattern in rules.local.tables]
    return Config(
        directory=directory,
        sites={site.name: site for site in sorted(files.sites.values(), key=lambda s: s.number)},
        rules=Rules({name: as_rules(table) for name, table in tables.items()}, tuple(local)),
        local=next(iter(files.local.values()), None),
        rules_files={name: file for file, rules in files.rules.items() for name in rules.table},
    )

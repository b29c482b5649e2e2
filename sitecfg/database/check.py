"""Asks the database of every site whether the rules fit it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psycopg

from sitecfg.config import Config
from sitecfg.errors import ConfigError, Fault, Wrong
from sitecfg.generations import generation_faults
from sitecfg.shape_faults import dotted
from sitecfg.site import Site

from . import catalog
from .judgement import database_faults


@dataclass(frozen=True)
class Checked:
    """What was found at the sites that answered, and why the others did not."""

    faults: tuple[Fault, ...]
    unreached: Mapping[str, str]


def check_databases(config: Config, sites: Iterable[Site]) -> Checked:
    """Compare the rules with the catalogs of some sites. A fault that several of them have is told once; a password
    that cannot be read is a fault too."""
    secrets: list[Fault] = []
    found: defaultdict[tuple[str, Wrong], list[str]] = defaultdict(list)
    unreached: dict[str, str] = {}
    for site in sites:
        try:
            for fault in _faults_at(config, site):
                found[fault].append(site.name)
        except ConfigError as error:
            secrets.extend(error.faults)
        except psycopg.Error as error:
            unreached[site.name] = " ".join(str(error).split())
    told = [_fault(config, table, wrong, at) for (table, wrong), at in found.items()]
    return Checked((*secrets, *told), unreached)


def _faults_at(config: Config, site: Site) -> list[tuple[str, Wrong]]:
    with catalog.connect(site.dsn()) as connection:
        relations = catalog.read(connection, config.rules.replicated)
        recorded = catalog.recorded(connection)
    changed = (
        (name, wrong)
        for name in config.rules.replicated
        if name in recorded
        for wrong in generation_faults(config.rules.table(name), recorded[name])
    )
    return [*database_faults(config.rules, config.sites, relations), *changed]


def _fault(config: Config, table: str, wrong: Wrong, at: list[str]) -> Fault:
    key = ".".join(filter(None, (dotted(("table", table)), wrong.key)))
    return Fault(config.rules_files[table], key, f"{wrong.message} (at {', '.join(at)})", wrong.hint)

"""What must agree between the files, once each of them has its shape."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import NamedTuple

from .errors import Fault
from .files import Files
from .rule_faults import rule_faults
from .shape_faults import dotted
from .shapes import LOOPBACK
from .site import Site


def whole_faults(files: Files) -> Iterator[Fault]:
    """Find every contradiction between files."""
    yield from _twice(files.sites, "name", "give each site its own name")
    yield from _twice(files.sites, "number", "give each site its own number, never used before")
    yield from _headquarters_faults(files.sites)
    for file, site in files.sites.items():
        yield from _name_faults(file, site)
        yield from _peer_faults(file, site, files.site_names)
    yield from _user_faults(files.sites)
    yield from _port_faults(files)
    yield from _rules_faults(files)


def _twice(sites: Mapping[str, Site], key: str, hint: str) -> Iterator[Fault]:
    first: dict[object, str] = {}
    for file, site in sites.items():
        value = getattr(site, key)
        if value in first:
            yield Fault(file, key, f"{value} is that of {first[value]} too", hint)
        first.setdefault(value, file)


def _headquarters_faults(sites: Mapping[str, Site]) -> Iterator[Fault]:
    found = [file for file, site in sites.items() if site.role == "headquarters"]
    for file in found[1:]:
        hint = 'one site at most is headquarters, the others are role = "branch"'
        yield Fault(file, "role", f"{found[0]} is headquarters already", hint)


def _name_faults(file: str, site: Site) -> Iterator[Fault]:
    if file != f"sites/{site.name}.toml":
        yield Fault(file, "name", f"the file is not called after {site.name}", "rename one of them")
    for language in site.languages:
        if language not in site.title:
            hint = "the pages in that language show it"
            yield Fault(file, f"title.{language}", "missing", hint)


def _peer_faults(file: str, site: Site, names: set[str]) -> Iterator[Fault]:
    for peer in sorted(names - {site.name, *site.peers}):
        hint = "every site reaches every other: host, port, rate, password_file"
        yield Fault(file, dotted(("peers", peer)), "missing", hint)
    for peer in site.peers:
        if peer == site.name:
            yield Fault(file, dotted(("peers", peer)), "a site is no peer of itself", "remove it")
        elif peer not in names:
            close = get_close_matches(peer, names, n=1)
            hint = f"did you mean {close[0]}?" if close else f"sites: {', '.join(sorted(names))}"
            yield Fault(file, dotted(("peers", peer)), "no site is called so", hint)


def _user_faults(sites: Mapping[str, Site]) -> Iterator[Fault]:
    """At a broker each site is somebody else: who may read what depends on it."""
    users = {(site.name, site.broker.user): f"{file}: broker.user" for file, site in sites.items()}
    for file, site in sites.items():
        for name, peer in site.peers.items():
            place = dotted(("peers", name, "user"))
            if (known := users.setdefault((name, peer.user), f"{file}: {place}")) != f"{file}: {place}":
                yield Fault(file, place, f"{peer.user} is that of {known} at {name} too", f'say user = "{site.name}"')


class _Door(NamedTuple):
    """A port that something listens on; `machine` tells one machine's loopback from another's."""

    machine: str
    host: str
    port: int


def _port_faults(files: Files) -> Iterator[Fault]:
    first: dict[_Door, tuple[str, str]] = {}
    for file, key, door in _doors(files):
        if door in first:
            other_file, other_key = first[door]
            hint = f"{other_file}: {other_key} has it; give each its own port"
            yield Fault(file, key, f"port {door.port} is taken", hint)
        first.setdefault(door, (file, key))


def _doors(files: Files) -> Iterator[tuple[str, str, _Door]]:
    one_machine = bool(files.local)
    for file, site in files.sites.items():
        for key, host, port in _site_doors(site, relayed=one_machine):
            machine = site.name if _is_loopback(host) and not one_machine else ""
            yield file, key, _Door(machine, host, port)
    for file, local in files.local.items():
        for key, port in local.ports.items():
            yield file, key, _Door("", LOOPBACK, port)


def _site_doors(site: Site, *, relayed: bool) -> Iterator[tuple[str, str, int]]:
    """Yield key, host and port; a peer's line is a door only where the WAN emulator keeps it."""
    yield "database.port", site.database.host, site.database.port
    yield "broker.port", site.broker.host, site.broker.port
    yield "broker.tls_port", site.broker.host, site.broker.tls_port
    yield "web.port", site.web.host, site.web.port
    for kind, port in site.metrics.ports.items():
        yield f"metrics.{kind}_port", LOOPBACK, port
    if relayed:
        for name, peer in site.peers.items():
            yield dotted(("peers", name, "port")), peer.host, peer.port


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _rules_faults(files: Files) -> Iterator[Fault]:
    sites, first = frozenset(files.site_names), dict[str, str]()
    patterns = [pattern for rules in files.rules.values() for pattern in rules.local.tables]
    for file, rules in files.rules.items():
        for name, table in rules.table.items():
            place = dotted(("table", name))
            for wrong in rule_faults(table, sites):
                yield Fault(file, f"{place}.{wrong.key}", wrong.message, wrong.hint)
            if name in first:
                hint = "say all about a table in one place"
                yield Fault(file, place, f"{first[name]} has rules for it too", hint)
            first.setdefault(name, file)
            yield from _local_faults(file, place, name, patterns)


def _local_faults(file: str, place: str, name: str, patterns: list[str]) -> Iterator[Fault]:
    for pattern in patterns:
        if fnmatchcase(name, pattern):
            hint = "a table is replicated under rules, or stays at its site"
            yield Fault(file, place, f"declared local by {pattern} too", hint)

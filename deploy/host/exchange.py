"""What sites must give each other before they can speak: public keys, and the passwords of peers' broker users.

A file lies at the same place on the host that makes it and on the one that takes it: the site files name it once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sitecfg import Config, Site


@dataclass(frozen=True)
class Handover:
    """A file that another site's host makes and this site's takes over."""

    maker: str
    path: Path
    secret: bool


def handovers(config: Config, site: Site) -> Iterator[Handover]:
    """What this site takes from the others."""
    for name, peer in site.peers.items():
        yield Handover(name, peer.password_file, secret=True)
    for name in config.sites:
        if name != site.name:
            yield Handover(name, site.keys.public(name), secret=False)


def passwords(config: Config, site: Site) -> set[Path]:
    """The passwords that this site's host makes: its own, and those of the peers' users at its broker."""
    peers = {other.peers[site.name].password_file for other in config.sites.values() if site.name in other.peers}
    return {site.database.password_file, *site.database.roles.values(), site.broker.password_file, *peers}

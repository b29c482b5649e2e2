"""The keys that sign and check a site's log, read from the files that its configuration names."""

import stat
from pathlib import Path

from replication.errors import UsageError
from replication.wire.signing import Signer, Verifier
from sitecfg import Config, Site


def signer(site: Site) -> Signer:
    """This site's private key. A file that others may read is refused."""
    path = site.keys.own
    _require(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise UsageError(f"{path} may be read by others: chmod 600 {path}")
    return Signer(path.read_bytes())


def verifier(config: Config, site: Site) -> Verifier:
    """The public keys of all sites."""
    paths = {name: site.keys.public(name) for name in config.sites}
    for path in paths.values():
        _require(path)
    return Verifier({name: path.read_bytes() for name, path in paths.items()})


def _require(path: Path) -> None:
    if not path.is_file():
        raise UsageError(f"the key {path} is missing: the local stack makes keys with `make up`")


def incarnation_file(site: Site) -> Path:
    """Where the incarnation is kept outside of the database (pitfall P1)."""
    return site.keys.directory / "incarnation"

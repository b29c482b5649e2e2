"""What a site keeps in its key directory: the keys that sign and check logs, and the name of its own log.

The incarnation is kept outside of the database too, so that a database that was restored is noticed (pitfall P1). While
a new one begins, the file names both, because the database's commit and the file cannot be one step.
"""

import os
from pathlib import Path

from replication.errors import UsageError
from replication.wire.signing import Signer, Verifier
from sitecfg import Config, Site
from sitecfg.secrets import require_private

_HINT = "the local stack makes keys with `make up`"


def signer(site: Site) -> Signer:
    """This site's private key. A file that others may read is refused."""
    require_private(site.keys.own, _HINT)
    return Signer(site.keys.own.read_bytes())


def verifier(config: Config, site: Site) -> Verifier:
    """The public keys of all sites."""
    paths = {name: site.keys.public(name) for name in config.sites}
    for path in paths.values():
        if not path.is_file():
            raise UsageError(f"the public key {path} is missing: {_HINT}")
    return Verifier({name: path.read_bytes() for name, path in paths.items()})


def is_at_home(site: Site) -> bool:
    """Is this the machine of the site's programs? Only there lies the private key to the public one that all know."""
    if not (site.keys.own.is_file() and site.keys.public(site.name).is_file()):
        return False
    return signer(site).public_pem.strip() == site.keys.public(site.name).read_bytes().strip()


def require_home(site: Site, command: str, instead: str = "") -> None:
    """Raise :class:`UsageError` on another machine: the files beside the keys, and the broker, are another site's."""
    if not is_at_home(site):
        raise UsageError(
            f"{command} needs the files beside {site.name}'s keys, and its broker: the private key in"
            f" {site.keys.directory} is not {site.name}'s. Nothing was changed: run it on {site.name}'s own"
            f" host{instead}"
        )


def masking_key(site: Site) -> bytes:
    """What this site's hashes are made with (replication/core/masking.py); it never leaves the site."""
    require_private(site.keys.mask, _HINT)
    return site.keys.mask.read_bytes().strip()


def kept_incarnations(site: Site) -> list[str]:
    """The incarnations that the database may name; none where the file is missing."""
    kept = _incarnation_file(site)
    return kept.read_text("ascii").split() if kept.exists() else []


def keep_incarnations(site: Site, *tokens: str) -> None:
    """Replace the file at once and on disk: a kill leaves the old one or the new one."""
    kept = _incarnation_file(site)
    kept.parent.mkdir(parents=True, exist_ok=True)
    fresh = kept.with_name(f"{kept.name}.new")
    with fresh.open("w", encoding="ascii") as file:
        file.write("".join(f"{token}\n" for token in tokens))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(kept)


def fence(site: Site, reason: str) -> None:
    """Note, outside of the database, that it must not send: its WAL grows, and what told of it may be overtaken."""
    _fence_file(site).write_text(f"{reason}\n", "utf-8")


def fenced(site: Site) -> str:
    """Why the database must not send; empty where it may."""
    noted = _fence_file(site)
    return noted.read_text("utf-8").strip() if noted.exists() else ""


def unfence(site: Site) -> None:
    """It begins a new log."""
    _fence_file(site).unlink(missing_ok=True)


def _fence_file(site: Site) -> Path:
    return site.keys.directory / "fenced"


def _incarnation_file(site: Site) -> Path:
    return site.keys.directory / "incarnation"

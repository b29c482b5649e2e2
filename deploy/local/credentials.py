"""Passwords, signing keys and certificates of the local sites: made once, kept in files that only their owner reads."""

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.certificates import Authority, provide
from deploy.local.layout import Layout
from sitecfg import Config, Site

PASSWORD_BYTES = 24
MASK_BYTES = 32


def make(config: Config, layout: Layout) -> None:
    """Make what is missing: every file that the configuration names, and the application's own."""
    for site in config.sites.values():
        for path in _password_files(site, layout):
            make_password(path)
        make_keys(site)
    _share_keys(config)
    provide(Authority(layout.authority), list(config.sites.values()))


def make_password(path: Path) -> None:
    """Make a password unless it is there."""
    _make_once(path, secrets.token_urlsafe(PASSWORD_BYTES))


def make_keys(site: Site) -> None:
    """Make the site's own keys unless they are there: the private one, its public one, and that of its masks."""
    if not site.keys.own.exists():
        _make_once(site.keys.own, _private_pem())
    _make_once(site.keys.mask, secrets.token_hex(MASK_BYTES))
    site.keys.public(site.name).write_text(_public_pem(site.keys.own))


def _password_files(site: Site, layout: Layout) -> set[Path]:
    named = {site.database.password_file, site.broker.password_file}
    named |= {peer.password_file for peer in site.peers.values()}
    named |= {*site.database.roles.values()}
    return named | {layout.secret(f"{site.name}.app"), layout.secret("erlang"), layout.secret("demo")}


def _make_once(path: Path, text: str) -> None:
    """Write a secret unless it is there; it never exists half written or open to others."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(path.name + ".new")
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        file.write(text + "\n")
    fresh.replace(path)


def _share_keys(config: Config) -> None:
    """Give each site everybody's public key."""
    for site in config.sites.values():
        public = site.keys.public(site.name).read_text()
        for holder in config.sites.values():
            holder.keys.public(site.name).write_text(public)


def _private_pem() -> str:
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode().rstrip("\n")


def _public_pem(private: Path) -> str:
    key = serialization.load_pem_private_key(private.read_bytes(), None)
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )

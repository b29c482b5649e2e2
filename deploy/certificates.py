"""The sites' own certificate authority, and the certificates by which their brokers and daemons know each other.

    python -m deploy.certificates                     # all sites of the configuration, into their key folders
    python -m deploy.certificates us --into DIR       # one site's files, to be carried to it
    python -m deploy.certificates --show              # until when each of them holds

The first run makes the authority. Each run makes what is missing and renews what ends within 30 days (``--renew``:
all); nothing needs to be stopped: a broker reads its file again by itself, and a daemon whenever it connects. The
authority's key signs whoever joins: keep its folder off the sites, and a copy of it.

A certificate names a *site* and no host, so a line may lead through any relay, and a site may move. It and its key are
one file, which is replaced at once: there is no moment in which they do not fit.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.local.layout import Layout
from replication.certificates import expires_at, read_certificate
from replication.errors import UsageError
from sitecfg import Config, ConfigError, Site, load
from sitecfg.secrets import require_private

AUTHORITY_DAYS = 3650
SITE_DAYS = 397
RENEW_DAYS = 30
_CLOCKS_DIFFER = timedelta(hours=1)
_BOTH = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])


@dataclass(frozen=True)
class Authority:
    """Signs the sites' certificates; ``folder`` holds ``ca.key`` and ``ca.pem``."""

    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def key(self) -> Path:
        return self.folder / "ca.key"

    def make(self) -> bool:
        """Make the authority unless it is there; returns whether it is new."""
        if self.certificate.exists():
            return False
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Kuroshio sites")])
        made = _draft(name, name, key.public_key(), AUTHORITY_DAYS)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        made = made.add_extension(_usage(signs=True), critical=True)
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _put(self.key, _private(key))
        _put(self.certificate, made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
        return True

    def issue(self, site: str, path: Path, *, days: int = SITE_DAYS) -> None:
        """Write a new certificate of a site and its key."""
        require_private(self.key, "certificates are made where the authority's key is: name its folder, --authority")
        signer = load_pem_private_key(self.key.read_bytes(), None)
        if not isinstance(signer, ec.EllipticCurvePrivateKey):
            raise UsageError(f"{self.key} is not the key of an authority that this program made")
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, site)])
        made = _draft(name, read_certificate(self.certificate).subject, key.public_key(), days)
        made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        made = made.add_extension(_usage(signs=False), critical=True).add_extension(_BOTH, critical=False)
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(site)]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        signed = made.add_extension(issuer, critical=False).sign(signer, hashes.SHA256())
        _put(path, signed.public_bytes(Encoding.PEM) + _private(key))


def provide(authority: Authority, sites: Sequence[Site], *, into: Path | None = None, renew: bool = False) -> list[str]:
    """Make what is missing or ends soon; returns what was done, a line each."""
    done = [f"made the authority {authority.certificate}"] if authority.make() else []
    for site in sites:
        certificate, known = _files(site, into)
        certificate.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not known.exists() or known.read_bytes() != authority.certificate.read_bytes():
            _put(known, authority.certificate.read_bytes())
        if renew or _is_due(certificate, authority):
            authority.issue(site.name, certificate)
            done.append(f"{site.name}: {certificate} holds until {expires_at(certificate):%Y-%m-%d}")
    return done


def _files(site: Site, into: Path | None) -> tuple[Path, Path]:
    keys = site.keys
    return (keys.certificate, keys.authority) if into is None else (into / "tls.pem", into / "ca.pem")


def _is_due(path: Path, authority: Authority) -> bool:
    """Is it missing, ending soon, or another authority's?"""
    if not path.exists():
        return True
    known = read_certificate(path)
    ends = known.not_valid_after_utc < datetime.now(UTC) + timedelta(days=RENEW_DAYS)
    return ends or not _is_signed_by(known, read_certificate(authority.certificate))


def _is_signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _draft(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    end = now + timedelta(days=days)
    draft = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    draft = draft.serial_number(x509.random_serial_number())
    return draft.not_valid_before(min(now, end) - _CLOCKS_DIFFER).not_valid_after(end)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _put(path: Path, content: bytes) -> None:
    """Replace a file at once; it is never open to others, nor half written."""
    fresh = path.with_name(path.name + ".new")
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)


def main() -> int:
    """Run the command; 1 where something is missing that a person must bring."""
    options = _options()
    try:
        config = load(options.config)
        sites = [config.site(name) for name in options.sites] or list(config.sites.values())
        authority = Authority(options.authority or _local_authority(config))
        if options.show:
            lines = [_shown(site) for site in sites]
        else:
            lines = provide(authority, sites, into=options.into, renew=options.renew) or ["all of them hold"]
    except (ConfigError, UsageError) as fault:
        print(f"certificates: {fault}", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


def _local_authority(config: Config) -> Path:
    if config.local is None:
        raise UsageError("these sites are not on this machine: name the authority's folder with --authority")
    return Layout(config.local.state.resolve()).authority


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.certificates", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("sites", nargs="*", metavar="SITE", help="these alone")
    parser.add_argument("--config", type=Path, metavar="DIR", help="the configuration directory")
    parser.add_argument("--authority", type=Path, metavar="DIR", help="the authority's folder")
    parser.add_argument("--into", type=Path, metavar="DIR", help="where the files go: the site's key folder")
    parser.add_argument("--renew", action="store_true", help="also what holds for long yet")
    parser.add_argument("--show", action="store_true", help="say until when each holds, and do nothing")
    options = parser.parse_args()
    if options.into and len(options.sites) != 1:
        parser.error("--into takes the files of one site: name it")
    return options


def _shown(site: Site) -> str:
    ends = expires_at(site.keys.certificate)
    left = (ends - datetime.now(UTC)).days
    due = ": renew it" if left < RENEW_DAYS else ""
    return f"{site.name}: holds until {ends:%Y-%m-%d %H:%M} UTC, {left} days{due}"


if __name__ == "__main__":
    sys.exit(main())

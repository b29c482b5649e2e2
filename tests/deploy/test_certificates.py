"""The sites' authority and certificates: made once, renewed in time, and what is said where something is missing."""

import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from deploy.certificates import RENEW_DAYS, SITE_DAYS, Authority, provide
from deploy.local.layout import ROOT
from replication.certificates import expires_at, read_certificate
from replication.errors import UsageError
from sitecfg import Config, ConfigError, load
from sitecfg.example import write


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load(write(tmp_path / "config", sites=("taipei", "us"), base_port=26000))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def test_each_site_gets_a_certificate_of_its_name_and_the_authority_s(config: Config, authority: Authority) -> None:
    provide(authority, list(config.sites.values()))
    for site in config.sites.values():
        certificate = read_certificate(site.keys.certificate)
        certificate.verify_directly_issued_by(read_certificate(site.keys.authority))
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [site.name]


def test_what_is_private_is_its_owner_s_alone(config: Config, authority: Authority) -> None:
    provide(authority, list(config.sites.values()))
    for path in (authority.key, *(site.keys.certificate for site in config.sites.values())):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_holds_is_left_alone_and_what_ends_soon_is_renewed(config: Config, authority: Authority) -> None:
    sites = list(config.sites.values())
    provide(authority, sites)
    kept, due = (site.keys.certificate for site in sites)
    before = kept.read_bytes()
    assert provide(authority, sites) == []
    authority.issue("us", due, days=RENEW_DAYS - 1)
    [done] = provide(authority, sites)
    assert done.startswith("us: ")
    assert kept.read_bytes() == before
    assert expires_at(due) > datetime.now(UTC) + timedelta(days=SITE_DAYS - 1)


def test_all_are_renewed_when_asked(config: Config, authority: Authority) -> None:
    sites = list(config.sites.values())
    provide(authority, sites)
    assert len(provide(authority, sites, renew=True)) == len(sites)


def test_a_new_authority_takes_all_over(config: Config, authority: Authority, tmp_path: Path) -> None:
    sites = list(config.sites.values())
    provide(authority, sites)
    other = Authority(tmp_path / "other")
    assert len(provide(other, sites)) == 1 + len(sites)
    assert sites[0].keys.authority.read_bytes() == other.certificate.read_bytes()


def test_one_site_s_files_can_be_made_to_be_carried(config: Config, authority: Authority, tmp_path: Path) -> None:
    provide(authority, [config.sites["us"]], into=tmp_path / "usb")
    assert {path.name for path in (tmp_path / "usb").iterdir()} == {"tls.pem", "ca.pem"}
    assert not config.sites["us"].keys.certificate.exists()


def test_an_authority_s_key_that_is_elsewhere_or_open_to_others_is_not_used(
    config: Config, authority: Authority
) -> None:
    authority.make()
    authority.key.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        provide(authority, list(config.sites.values()))
    authority.key.unlink()
    with pytest.raises(ConfigError, match=r"--authority"):
        provide(authority, list(config.sites.values()))


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_certificate_that_is_none_is_told_with_the_next_step(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "tls.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"python -m deploy\.certificates"):
        expires_at(path)


def test_the_command_makes_them_and_shows_until_when_they_hold(config: Config) -> None:
    command = [sys.executable, "-m", "deploy.certificates", "--config", str(config.directory)]
    missing = subprocess.run([*command, "--show"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert missing.returncode == 1
    assert "python -m deploy.certificates makes it" in missing.stderr
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    shown = subprocess.run([*command, "--show"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.count(f"{SITE_DAYS - 1} days") == len(config.sites)

"""A password is read when it is used, and only from a file that is its owner's alone."""

from ast import literal_eval
from pathlib import Path
from urllib.parse import parse_qs

import psycopg
import pytest

from sitecfg import ConfigError, load
from sitecfg.secrets import read_secret


def secret(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o601, 0o777])
def test_a_secret_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError, match=f"group or others have access .mode {mode:04o}.*\n.*chmod 600"):
        read_secret(secret(tmp_path / "x", "hunter2\n", mode))


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_secret_of_its_owner_alone_is_read(tmp_path: Path, mode: int) -> None:
    assert read_secret(secret(tmp_path / "x", "hunter 2\r\n", mode)) == "hunter 2"


def test_a_missing_secret_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing.*No such file"):
        read_secret(tmp_path / "nothing")


@pytest.mark.parametrize("text", ["", "\n", "two\nlines", "a\0b"])
def test_a_secret_is_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="not exactly one line"):
        read_secret(secret(tmp_path / "x", text))


def test_a_secret_is_utf_8(tmp_path: Path) -> None:
    path = secret(tmp_path / "x", "")
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_secret(path)


def test_loading_and_hidden_addresses_open_no_secret(directory: Path) -> None:
    site = load(directory).sites["taipei"]
    shown = site.dsn(hide=True), site.broker_url(hide=True), site.peer_url("us", hide=True)
    assert all("********" in address for address in shown)


def test_a_dsn_survives_any_password(directory: Path) -> None:
    password = "it's a \\ 'pass word'="
    site = load(directory).sites["taipei"]
    secret(site.database.password_file, password)
    parts = psycopg.conninfo.conninfo_to_dict(site.dsn())
    assert parts == {"host": "127.0.0.1", "port": "26001", "dbname": "crm", "user": "postgres", "password": password}


def test_an_amqp_address_survives_any_password(directory: Path) -> None:
    site = load(directory).sites["taipei"]
    secret(site.broker.password_file, "p@ss/w:rd%")
    assert site.broker_url() == "amqp://kuroshio:p%40ss%2Fw%3Ard%25@127.0.0.1:26101/%2F"


def test_a_peers_address_is_this_sites_line_to_it_by_tls_and_names_who_must_answer(directory: Path) -> None:
    site = load(directory).sites["taipei"]
    secret(site.peers["us"].password_file, "x")
    secret(site.keys.certificate, "a certificate and its key")
    address, _, query = site.peer_url("us").partition("?")
    assert address == "amqps://taipei:x@127.0.0.1:26212/%2F"
    assert literal_eval(parse_qs(query)["ssl_options"][0]) == {
        "certfile": str(site.keys.certificate),
        "keyfile": str(site.keys.certificate),
        "ca_certs": str(site.keys.authority),
        "server_hostname": "us",
    }


def test_a_peer_is_not_reached_without_a_certificate_or_with_one_that_others_may_read(directory: Path) -> None:
    site = load(directory).sites["taipei"]
    secret(site.peers["us"].password_file, "x")
    with pytest.raises(ConfigError, match=r"tls\.pem: No such file.*\n.*python -m deploy\.certificates"):
        site.peer_url("us")
    secret(site.keys.certificate, "a certificate and its key", 0o640)
    with pytest.raises(ConfigError, match=r"group or others have access.*\n.*chmod 600"):
        site.peer_url("us")


def test_a_role_has_a_password_of_its_own_and_one_that_is_not_configured_is_not_used(directory: Path) -> None:
    site = load(directory).sites["taipei"]
    secret(site.database.roles["apply"], "of apply")
    parts = psycopg.conninfo.conninfo_to_dict(site.dsn("apply"))
    assert (parts["user"], parts["password"]) == ("kuroshio_apply", "of apply")
    secret(site.database.password_file, "of all")
    site.database.roles.clear()
    assert site.dsn("apply") == site.dsn()

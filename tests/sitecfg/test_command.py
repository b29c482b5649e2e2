"""`python -m sitecfg` as an operator and a script meet it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sitecfg import load

from .conftest import Breaker


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sitecfg", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def test_check_passes_on_the_projects_own_without_secrets() -> None:
    done = run("check", KUROSHIO_CONFIG="")
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 sites" in done.stdout


@pytest.mark.parametrize("how", ["argument", "option", "environment"])
def test_check_takes_a_directory(directory: Path, how: str) -> None:
    done = {
        "argument": lambda: run("check", str(directory)),
        "option": lambda: run("check", "--config", str(directory)),
        "environment": lambda: run("check", KUROSHIO_CONFIG=str(directory)),
    }[how]()
    assert done.returncode == 0
    assert "3 sites, 1 table under rules" in done.stdout


def test_check_names_every_fault_and_fails(directory: Path, change: Breaker) -> None:
    change("sites/us.toml", "number = 2", "number = 1")
    change("sites/us.toml", 'currency = "USD"', 'curency = "USD"')
    done = run("check", str(directory))
    assert done.returncode == 1
    assert "sites/us.toml: curency: unknown key\n    did you mean currency?\n" in done.stderr
    assert "sites/us.toml: currency: missing" in done.stderr
    assert done.stderr.endswith("2 faults\n")


def test_show_hides_passwords_and_opens_no_secret(directory: Path) -> None:
    done = run("show", "--config", str(directory))
    assert done.returncode == 0
    assert "password=********" in done.stdout
    assert "amqp://kuroshio:********@127.0.0.1:26102/%2F" in done.stdout


def test_show_json_prints_working_addresses(directory: Path) -> None:
    for site in load(directory).sites.values():
        for path in (site.database.password_file, site.broker.password_file):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("pw\n", encoding="utf-8")
            path.chmod(0o600)
    done = run("show", "taipei", "--json", "--config", str(directory))
    assert json.loads(done.stdout) == {
        "taipei": {
            "dsn": "host=127.0.0.1 port=26001 dbname=crm user=postgres password=pw",
            "broker_url": "amqp://kuroshio:pw@127.0.0.1:26101/%2F",
            "web_url": "http://127.0.0.1:26301",
            "metrics_urls": ["http://127.0.0.1:26311/metrics", "http://127.0.0.1:26321/metrics"],
        }
    }
    assert set(json.loads(run("show", "--json", "--config", str(directory)).stdout)) == {"taipei", "us", "berlin"}


def test_show_json_says_which_secret_is_missing(directory: Path) -> None:
    done = run("show", "us", "--json", "--config", str(directory))
    assert done.returncode == 1
    assert "us.postgres: No such file or directory" in done.stderr
    assert done.stdout == ""


def test_show_names_the_sites_there_are(directory: Path) -> None:
    done = run("show", "paris", "--config", str(directory))
    assert done.returncode == 1
    assert "no site is called paris" in done.stderr

"""`python -m sitecfg` as an operator and a script meet it."""

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from sitecfg import ColumnRule, load

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
    assert "amqps://taipei:********@127.0.0.1:26212/%2F" in done.stdout


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


def test_rules_prints_what_holds_for_every_table_and_column(directory: Path) -> None:
    rules = """
    [table."public.customer"]
    owner = "owner_site"
    delete = "loses"
    share = ["taipei", "us"]
    groups = { money = ["amount", "currency"] }
    unique.email_key = { outcome = "mark", review = true }
    parent.region_fkey = "falls"
    [table."public.customer".column]
    credit = { rule = "owner", owned_by.us = { rule = "site", site = "us" }, review = true }
    limit = { rule = "site", site = "taipei", written_by.us = "site", written_by.berlin = "owner" }
    card = { share = { column = "owner_site", map = { us = ["us"] } }, mask = { part = 4 } }
    [table."public.tag"]
    """
    (directory / "rules/rules.toml").write_text(rules, encoding="utf-8")
    done = run("rules", "--config", str(directory))
    assert done.returncode == 0
    assert [re.split(" {2,}", line) for line in done.stdout.splitlines()] == [
        ["table", "column", "rule", "by owner", "by writer", "received by", "the others get"],
        ["public.customer", "(rows)", "a delete loses", "the owner is owner_site", "taipei, us"],
        ["public.customer", "amount", "latest, in group money"],
        ["public.customer", "card", "latest", "by owner_site: us: us; else all", "the last 4"],
        ["public.customer", "credit", "owner, then a person is asked", "us: site us"],
        ["public.customer", "currency", "latest, in group money"],
        ["public.customer", "limit", "site taipei", "berlin: owner; us: site"],
        ["public.customer", "(every other column)", "latest"],
        ["public.customer", "(unique email_key)", "the younger claim is marked, then a person is asked"],
        ["public.customer", "(parent region_fkey)", "falls with its parent"],
        ["public.tag", "(rows)", "a delete counts by its stamp", "taipei, us, berlin"],
        ["public.tag", "(every other column)", "latest"],
    ]
    starts = {line.index("latest") for line in done.stdout.splitlines() if "latest" in line}
    assert len(starts) == 1


def test_rules_json_has_every_column_that_the_files_name(directory: Path, change: Breaker) -> None:
    change("rules/rules.toml", "owner =", 'groups = { reach = ["fax", "telex"] }\nowner =')
    done = run("rules", "public.customer", "--json", "--config", str(directory))
    shown = json.loads(done.stdout)
    assert shown["version"] == load(directory).rules.version
    latest = json.loads(json.dumps(asdict(ColumnRule())))
    assert shown["tables"]["public.customer"] == {
        "owner": "owner_site",
        "delete": "stamp",
        "columns": {"fax": latest, "phone": latest, "telex": latest},
        "groups": {"reach": ["fax", "telex"]},
        "unique_keys": {},
        "parents": {},
        "share": None,
        "renamed": {},
    }


def test_rules_tell_of_generations_and_of_names_that_changed(directory: Path, change: Breaker) -> None:
    change("rules/rules.toml", 'phone = "latest"', 'phone = { rule = "counter", generation = 2, was = "latest" }')
    change("rules/rules.toml", "owner =", 'renamed = { tel = "phone" }\nowner =')
    done = run("rules", "public.customer", "--config", str(directory))
    [line] = [line for line in done.stdout.splitlines() if "counter" in line]
    assert "phone (was tel)" in line
    assert "counter, generation 2 (was latest)" in line


def test_rules_names_the_table_that_was_meant(directory: Path) -> None:
    done = run("rules", "public.custmer", "--config", str(directory))
    assert done.returncode == 1
    assert "no rules file has public.custmer\n    did you mean public.customer?" in done.stderr

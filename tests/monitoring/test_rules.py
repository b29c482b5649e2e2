"""The rules are what Prometheus accepts, each alarm speaks when it must, and says what to do; nothing is asked for that
nobody shows."""

import re
import subprocess
from pathlib import Path

import pytest

from monitoring.configuration import Mail, Watch, hurried, write
from replication import metrics
from sitecfg import load
from tests.monitoring.pages import (
    CASES,
    DASHBOARDS,
    RULES,
    Alarm,
    alarms,
    expressions,
    metrics_in,
    paragraphs,
    recorded,
)

OTHERS = re.compile(r"up|ALERTS|(pg|rabbitmq|prometheus|alertmanager|process)_\w+")
"""Shown by Prometheus itself and by the exporters of others."""


def tool(*command: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_alarm_speaks_when_it_must_and_only_then(path: Path) -> None:
    done = tool("promtool", "test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_and_alertmanager_accept_what_is_written_for_them(tmp_path: Path) -> None:
    mail = Mail("mail.example:25", "kuroshio@example.org", "operators@example.org")
    sites = list(load().sites.values())
    assert write(tmp_path, sites, Watch("127.0.0.1:9090", "127.0.0.1:9093", mail))
    assert not write(tmp_path, sites, Watch("127.0.0.1:9090", "127.0.0.1:9093", mail)), "it is written anew each time"
    for checked in (
        tool("promtool", "check", "config", tmp_path / "prometheus.yml"),
        tool("amtool", "check-config", tmp_path / "alertmanager.yml"),
    ):
        assert checked.returncode == 0, checked.stdout + checked.stderr
    text = (tmp_path / "prometheus.yml").read_text()
    assert all(f'"127.0.0.1:{port}"' in text for site in sites for port in site.metrics.ports.values())


def test_rules_that_hurry_wait_less_and_are_accepted(tmp_path: Path) -> None:
    assert hurried("for: 1m\nrate(a[2m]) + b[6h]", 15) == "for: 4s\nrate(a[12s]) + b[1440s]"
    for path in RULES:
        (tmp_path / path.name).write_text(hurried(path.read_text(), 15))
        checked = tool("promtool", "check", "rules", tmp_path / path.name)
        assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("alarm", alarms(), ids=lambda alarm: alarm.name)
def test_every_alarm_has_a_case_and_a_paragraph_that_begins_with_its_command(alarm: Alarm) -> None:
    assert any(f'alertname="{alarm.name}", alertstate="firing", severity=' in path.read_text() for path in CASES)
    assert alarm.annotation("runbook") == f"monitoring/ALERTS.md#{alarm.name.lower()}"
    assert alarm.annotation("next") in paragraphs()[alarm.name]
    assert re.search(r"severity: (critical|warning|none)", alarm.text)


def test_every_paragraph_has_its_alarm() -> None:
    assert list(paragraphs()) == [alarm.name for alarm in alarms()]


@pytest.mark.parametrize("path", [*RULES, *DASHBOARDS], ids=lambda path: path.name)
def test_what_is_asked_for_is_shown_by_somebody(path: Path) -> None:
    known = {*metrics.declared(), *recorded()}
    asked = {name for expression in expressions(path) for name in metrics_in(expression)}
    assert asked, "nothing was found: this test shows nothing"
    assert {name for name in asked if name not in known and not OTHERS.fullmatch(name)} == set()


def test_a_metric_that_nobody_declares_is_noticed() -> None:
    names = metrics_in('max by (site) (rate(kuroshio_link_latness[5m])) > on (site) up{job="kuroshio"} * 2')
    assert names == {"kuroshio_link_latness", "up"}


def test_every_metric_of_ours_is_shown_by_a_process_that_knows_of_it() -> None:
    from prometheus_client import REGISTRY

    shared = [metric.name for metric in REGISTRY.collect() if metric.name.startswith("kuroshio")]
    assert shared == [], "declare it in a process' own registry"

"""The configuration of Prometheus and of Alertmanager, as it follows from the sites: text, and where it is put."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from sitecfg import Site

LOOPBACK = "127.0.0.1"
SCRAPE_SECONDS, LEAST_SCRAPE_SECONDS = 15, 3
SCRAPES_IN_A_RANGE = 4
GROUP_WAIT_SECONDS, GROUP_INTERVAL_SECONDS = 10, 60

JOBS = {
    "capture": "capture",
    "apply": "apply",
    "site": "site",
    "control": "control",
    "web": "web",
    "database": "postgres",
    "broker": "rabbitmq",
}
"""The name of a Prometheus job by what a site shows."""

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

PROMETHEUS = """\
# Made from the site files by `python -m monitoring write`: change those.
global:
  scrape_interval: {seconds}s
  scrape_timeout: {timeout}s
  evaluation_interval: {seconds}s

rule_files: [rules/*.yml]

alerting:
  alertmanagers:
    - static_configs: [targets: ["{alertmanager}"]]

scrape_configs:
  - job_name: prometheus
    static_configs: [targets: ["{prometheus}"]]
  - job_name: alertmanager
    static_configs: [targets: ["{alertmanager}"]]
{jobs}\
  # How many messages each stream holds: RabbitMQ says so of a queue only where it is asked for queues.
  - job_name: streams
    scrape_interval: {seldom}s
    metrics_path: /metrics/detailed
    params: {{family: [queue_coarse_metrics]}}
    static_configs:
{streams}\
"""
JOB = """\
  - job_name: {job}
    static_configs:
{targets}\
"""
TARGET = """\
      - targets: ["{address}"]
        labels: {{site: {site}}}
"""

ALERTMANAGER = """\
# Made by `python -m monitoring write`.
global:
  smtp_smarthost: "{mail.smarthost}"
  smtp_from: "{mail.sender}"
  smtp_require_tls: {mail.tls}

templates: [mail.tmpl]

route:
  receiver: operators
  group_by: [alertname, site, origin]
  group_wait: {wait}s
  group_interval: {interval}s
  repeat_interval: 4h
  routes:
    - receiver: operators
      matchers: [alertname = AlarmsWork]
      repeat_interval: 1d

receivers:
  - name: operators
    email_configs:
      - to: "{mail.to}"
        send_resolved: true
        headers: {{Subject: '{{{{ template "subject" . }}}}'}}
        html: ""
        text: '{{{{ template "text" . }}}}'

# One fault is one mail: what follows from another is not told beside it.
inhibit_rules:
  - source_matchers: [alertname = SiteUnheard]
    target_matchers: [alertname = LinkDown]
    equal: [origin]
  - source_matchers: [alertname =~ "CaptureFenced|SlotLost"]
    target_matchers: [alertname = CaptureStalled]
    equal: [site]
  - source_matchers: [alertname = DatabaseDown]
    target_matchers: [alertname =~ "FiguresMissing|WebFaults"]
    equal: [site]
  - source_matchers: [alertname = BrokerDown]
    target_matchers: [alertname = FiguresMissing, part = log]
    equal: [site]
  - source_matchers: [alertname = BrokerDown]
    target_matchers: [alertname = CaptureStalled]
    equal: [site]
  - source_matchers: [alertname = ApplyStalled]
    target_matchers: [alertname = MetricsGone, job = apply]
    equal: [site]
  - source_matchers: [alertname = CaptureStalled]
    target_matchers: [alertname = MetricsGone, job = capture]
    equal: [site]
"""


@dataclass(frozen=True)
class Mail:
    """By whom alarms are delivered, and to whom."""

    smarthost: str
    sender: str
    to: str
    starttls: bool = True

    @property
    def tls(self) -> str:
        return str(self.starttls).lower()


@dataclass(frozen=True)
class Watch:
    """Where Prometheus and Alertmanager listen, whom they tell, and by how much they hurry (in tests)."""

    prometheus: str
    alertmanager: str
    mail: Mail
    hurry: int = 1


def write(folder: Path, sites: Iterable[Site], watch: Watch) -> bool:
    """Write both programs' configuration, with the rules beside it; returns whether anything changed."""
    texts = {
        "prometheus.yml": prometheus(list(sites), watch),
        "alertmanager.yml": alertmanager(watch),
        "mail.tmpl": _own("mail.tmpl"),
        **{f"rules/{name}": hurried(_own(f"rules/{name}"), watch.hurry) for name in ("recording.yml", "alerts.yml")},
    }
    (folder / "rules").mkdir(parents=True, exist_ok=True)
    changed = [_put(folder / name, text) for name, text in texts.items()]
    return any(changed)


def prometheus(sites: list[Site], watch: Watch) -> str:
    """What Prometheus asks, how often, and whom it tells."""
    seconds = max(LEAST_SCRAPE_SECONDS, SCRAPE_SECONDS // watch.hurry)
    return PROMETHEUS.format(
        seconds=seconds,
        seldom=4 * seconds,
        timeout=min(seconds, 10),
        prometheus=watch.prometheus,
        alertmanager=watch.alertmanager,
        jobs="".join(_jobs(sites)),
        streams=_targets(sites, "broker"),
    )


def _jobs(sites: list[Site]) -> Iterator[str]:
    for kind, job in JOBS.items():
        if targets := _targets(sites, kind):
            yield JOB.format(job=job, targets=targets)


def _targets(sites: list[Site], kind: str) -> str:
    ports = {site.name: site.metrics.ports[kind] for site in sites if kind in site.metrics.ports}
    return "".join(TARGET.format(address=f"{LOOPBACK}:{port}", site=site) for site, port in ports.items())


def alertmanager(watch: Watch) -> str:
    """Who is told, in how many mails."""
    return ALERTMANAGER.format(
        mail=watch.mail,
        wait=max(1, GROUP_WAIT_SECONDS // watch.hurry),
        interval=max(1, GROUP_INTERVAL_SECONDS // watch.hurry),
    )


def hurried(rules: str, hurry: int) -> str:
    """The rules with every `for` and every range so many times shorter, but never below four scrapes in a range."""
    if hurry == 1:
        return rules

    def shorter(found: re.Match[str]) -> str:
        before, number, unit, after = found.groups()
        least = SCRAPES_IN_A_RANGE * LEAST_SCRAPE_SECONDS if before == "[" else 0
        return f"{before}{max(least, int(number) * UNITS[unit] // hurry)}s{after}"

    return re.sub(r"(\[|for: )(\d+)([smhd])(\]|$)", shorter, rules, flags=re.MULTILINE)


def _own(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _put(path: Path, text: str) -> bool:
    if path.exists() and path.read_text("utf-8") == text:
        return False
    path.write_text(text, "utf-8")
    return True

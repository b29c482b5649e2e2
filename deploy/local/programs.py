"""What the supervisor runs, by name: `<site>-postgres`, `-broker`, `-capture`, `-apply`, `-control`, `-web`; `epmd`,
`wan`; and to watch the sites `<site>-exporter`, `-postgres-exporter`, `prometheus`, `alertmanager`, `mailbox`.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import postgres, rabbitmq, watching
from deploy.local.layout import ROOT, Layout, local_of
from deploy.local.say import StackError
from sitecfg import Config, Site
from sitecfg.config import ENVIRONMENT
from sitecfg.shapes import LOOPBACK

EPMD = "epmd"
WAN = "wan"
INFRASTRUCTURE = ("postgres", "broker")
DAEMONS = ("capture", "apply", "control")
WEB = "web"

WEB_THREADS = 8


@dataclass(frozen=True)
class Program:
    """One program under the supervisor; `site` is empty for what belongs to no site."""

    name: str
    command: list[str]
    log: Path
    site: str = ""
    directory: Path = ROOT
    environment: dict[str, str] = field(default_factory=dict)
    stop_signal: str = "TERM"


def programs(config: Config, layout: Layout, skewed: frozenset[str] = frozenset()) -> list[Program]:
    """All programs of the stack; `skewed` sites read their time through libfaketime."""
    return [*_shared(config, layout), *_of_sites(config, layout, skewed)]


def names(config: Config, *kinds: str) -> list[str]:
    """The programs of these kinds, site by site."""
    return [f"{site}-{kind}" for site in config.sites for kind in kinds]


def _shared(config: Config, layout: Layout) -> Iterator[Program]:
    port, log = local_of(config).epmd_port, layout.supervisor
    epmd = ["epmd", "-address", "127.0.0.1", "-port", str(port)]
    yield Program(EPMD, epmd, log / "epmd.log")
    wan = [sys.executable, "-m", "deploy.local.wan", "--config", str(config.directory)]
    yield Program(WAN, wan, log / "wan.log")
    if local_of(config).monitoring:
        mailbox = [sys.executable, "-m", "deploy.local.mailbox", "--config", str(config.directory)]
        yield Program(watching.MAILBOX, mailbox, log / "mailbox.log")
    for name, command in watching.commands(config, layout):
        yield Program(name, command, layout.monitoring / "log" / f"{name}.log", environment={"GOMAXPROCS": "1"})


def _of_sites(config: Config, layout: Layout, skewed: frozenset[str]) -> Iterator[Program]:
    for site in config.sites.values():
        clock = _faked_clock(site, layout) if site.name in skewed else {}
        log, epmd_port = layout.log(site.name), local_of(config).epmd_port
        yield Program(
            f"{site.name}-postgres",
            postgres.command(site, layout, clock),
            log / "postgres.log",
            site.name,
            Path("/"),
            stop_signal="INT",  # fast shutdown: https://www.postgresql.org/docs/15/server-shutdown.html
        )
        environment = rabbitmq.environment(site, layout, epmd_port)
        broker = layout.broker(site.name)
        yield Program(
            f"{site.name}-broker", rabbitmq.command(layout), log / "broker.log", site.name, broker, environment
        )
        yield from _daemons(config, site, log, clock)
        yield from _exporters(config, site, log, clock)


def _daemons(config: Config, site: Site, log: Path, clock: dict[str, str]) -> Iterator[Program]:
    environment = {ENVIRONMENT: str(config.directory), **clock}
    for kind in DAEMONS:
        command = [sys.executable, "-m", "replication", kind, "--site", site.name]
        yield Program(f"{site.name}-{kind}", command, log / f"{kind}.log", site.name, ROOT, environment)
    if local_of(config).app:
        environment = {**environment, "KUROSHIO_SITE": site.name}
        yield Program(f"{site.name}-web", gunicorn(site), log / "web.log", site.name, ROOT / "app", environment)


def _exporters(config: Config, site: Site, log: Path, clock: dict[str, str]) -> Iterator[Program]:
    if site.metrics.site_port:
        environment = {ENVIRONMENT: str(config.directory), **clock}
        command = [sys.executable, "-m", "replication", "exporter", "--site", site.name]
        yield Program(f"{site.name}-exporter", command, log / "exporter.log", site.name, ROOT, environment)
    if site.metrics.database_port:
        command, environment = watching.postgres_exporter(site)
        name = f"{site.name}-postgres-exporter"
        yield Program(name, command, log / "postgres-exporter.log", site.name, Path("/"), environment)


def gunicorn(site: Site) -> list[str]:
    """One worker a site, with threads: a node of the demo waits more than it computes."""
    options = ["--bind", f"{site.web.host}:{site.web.port}", "--workers", "1", "--threads", str(WEB_THREADS)]
    if site.metrics.web_port:
        options += ["--bind", f"{LOOPBACK}:{site.metrics.web_port}"]
    return [sys.executable, "-m", "gunicorn", *options, "crm.wsgi:application"]


def _faked_clock(site: Site, layout: Layout) -> dict[str, str]:
    """Load libfaketime; the site's `clock` file, for example `+600`, says by how much it is off."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        raise StackError("libfaketime is not installed: run deploy/packages.sh")
    clock = layout.clock(site.name)
    if not clock.exists():
        clock.write_text("+0\n")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }

"""What watches the local sites: Prometheus, Alertmanager and a mailbox beside them, an exporter at each database.

Debian's packages start services of their own, which the stack neither needs nor touches: these run from its folder, on
its ports, and keep a day.
"""

from collections.abc import Iterator
from pathlib import Path

from deploy.local.layout import Layout, local_of
from monitoring.configuration import Mail, Watch, write
from sitecfg import Config, Site
from sitecfg.local import Monitoring
from sitecfg.shapes import LOOPBACK

PROMETHEUS, ALERTMANAGER, MAILBOX = "prometheus", "alertmanager", "mailbox"
WATCHERS = (MAILBOX, ALERTMANAGER, PROMETHEUS)
SENDER, OPERATORS = "kuroshio@localhost", "operators@localhost"

Command = list[str]


def configure(config: Config, layout: Layout) -> bool:
    """Write the configuration of what watches, where something does; returns whether it changed."""
    monitoring = local_of(config).monitoring
    if monitoring is None:
        return False
    layout.mail.mkdir(parents=True, exist_ok=True, mode=0o700)
    (layout.monitoring / "log").mkdir(exist_ok=True, mode=0o700)
    mail = Mail(f"{LOOPBACK}:{monitoring.mail_port}", SENDER, OPERATORS, starttls=False)
    prometheus, alertmanager = (
        f"{LOOPBACK}:{port}" for port in (monitoring.prometheus_port, monitoring.alertmanager_port)
    )
    watch = Watch(prometheus, alertmanager, mail, monitoring.hurry)
    return write(layout.monitoring, config.sites.values(), watch)


def commands(config: Config, layout: Layout) -> Iterator[tuple[str, Command]]:
    """The programs that watch all sites, by name."""
    monitoring = local_of(config).monitoring
    if monitoring is not None:
        yield ALERTMANAGER, _alertmanager(monitoring, layout.monitoring)
        yield PROMETHEUS, _prometheus(monitoring, layout.monitoring)


def _prometheus(monitoring: Monitoring, folder: Path) -> Command:
    return [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        "--storage.tsdb.retention.time=1d",
        f"--web.listen-address={LOOPBACK}:{monitoring.prometheus_port}",
        "--log.level=warn",
    ]


def _alertmanager(monitoring: Monitoring, folder: Path) -> Command:
    return [
        "prometheus-alertmanager",
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={LOOPBACK}:{monitoring.alertmanager_port}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]


def postgres_exporter(site: Site) -> tuple[Command, dict[str, str]]:
    """PostgreSQL's exporter for one site, and its environment."""
    command = [
        "prometheus-postgres-exporter",
        f"--web.listen-address={LOOPBACK}:{site.metrics.database_port}",
        "--disable-settings-metrics",
        "--log.level=warn",
    ]
    database = site.database
    user, password_file = database.login("ops")
    environment = {
        "DATA_SOURCE_URI": f"{database.host}:{database.port}/{database.name}?sslmode=disable",
        "DATA_SOURCE_USER": user,
        "DATA_SOURCE_PASS_FILE": str(password_file),
        "GOMAXPROCS": "1",
    }
    return command, environment

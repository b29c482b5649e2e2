"""One RabbitMQ broker a site: its files, its environment, its users.

The brokers share one port mapper (epmd) that is the stack's own, and a cookie; they are no cluster.
Streams need no plugin. Users come from a definitions file that is read at every start, and when it has changed.
"""

import base64
import hashlib
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pika

from deploy.local import broker_home
from deploy.local.layout import Layout, is_taken, put
from deploy.local.say import StackError
from replication.audience import view_for
from replication.broker.permissions import OWN, of_peer
from sitecfg import Config, Site
from sitecfg.secrets import read_secret

DISTRIBUTION_PORT = 20  # above the broker's own

SETTINGS = """\
# Made anew by every `make up`.
listeners.tcp.default = {host}:{port}
listeners.ssl.default = {host}:{tls_port}
loopback_users = none
load_definitions = {definitions}

{line}
{tls}
log.console = true
log.console.level = info
log.file = false

# Streams live on disk and in the page cache; several brokers share one small machine.
vm_memory_high_watermark.absolute = 400MB
disk_free_limit.absolute = 200MB
collect_statistics_interval = 30000
"""

SHOWN = """
# Its figures for Prometheus; nobody asks for those of the management pages.
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = {port}
management_agent.disable_metrics_collector = true
"""

LINE_SETTINGS = """\
# What waits in the buffers of a connection is in flight on the line that it crosses.
tcp_listen_options.sndbuf = 16384
tcp_listen_options.recbuf = 65536
tcp_listen_options.nodelay = true
tcp_listen_options.backlog = 128
"""

TLS_SETTINGS = """\
# Peers come in by TLS alone, each with its certificate. Certificate and key are one file.
ssl_options.cacertfile = {authority}
ssl_options.certfile = {certificate}
ssl_options.keyfile = {certificate}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
ssl_options.versions.1 = tlsv1.3
"""

# One scheduler that sleeps when idle, and tables for as many processes as one site needs.
# A certificate that was renewed is read again for new connections after so many milliseconds; said here, since TLS is
# started before the broker reads its configuration.
RENEWING = "-kernel inet_dist_use_interface {127,0,0,1} -ssl ssl_pem_cache_clean 5000"
ERLANG = f"+S 1:1 +SDcpu 1:1 +SDio 2 {RENEWING}"


def command(layout: Layout) -> list[str]:
    """The broker in the foreground."""
    return [str(broker_home.server(layout.broker_home))]


def environment(site: Site, layout: Layout, epmd_port: int) -> dict[str, str]:
    """What the broker's start script reads; nothing is left to /etc/rabbitmq or to a home folder."""
    folder = layout.broker(site.name)
    return {
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"{site.name}@localhost",
        "RABBITMQ_DIST_PORT": str(site.broker.port + DISTRIBUTION_PORT),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder),
        "RABBITMQ_MNESIA_DIR": str(folder / "data"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
        "RABBITMQ_SCHEMA_DIR": str(folder / "schema"),
        "RABBITMQ_LOG_BASE": str(layout.log(site.name)),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_MAX_NUMBER_OF_PROCESSES": "100000",
        "RABBITMQ_MAX_NUMBER_OF_ATOMS": "1000000",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG,
        "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the broker, so that signals reach it
    }


def plugins(config: Config) -> list[str]:
    """What the brokers need besides themselves."""
    shown = any(site.metrics.broker_port for site in config.sites.values())
    return [broker_home.PROMETHEUS] if shown else []


def configure(site: Site, config: Config, layout: Layout) -> bool:
    """Write the broker's files; returns whether they changed."""
    folder = layout.broker(site.name)
    cookie = hashlib.sha256(read_secret(layout.secret("erlang")).encode()).hexdigest()
    files = {
        ".erlang.cookie": cookie,
        "rabbitmq-env.conf": "",
        "advanced.config": "[].\n",
        "enabled_plugins": f"[{broker_home.PROMETHEUS if site.metrics.broker_port else ''}].\n",
        "rabbitmq.conf": _settings(site, layout),
    }
    changed = [put(folder / name, text) for name, text in files.items()]
    return any(changed)


def define(site: Site, config: Config, layout: Layout) -> bool:
    """Write which users there are, and what each may do; returns whether that changed."""
    return put(_definitions_file(site, layout), json.dumps(definitions(site, config), indent=1))


def tell(site: Site, layout: Layout, epmd_port: int) -> None:
    """Have the running broker read its users again, and forget those who are none any more."""
    control = Control(
        [str(layout.broker_home / "sbin" / "rabbitmqctl"), "--node", f"{site.name}@localhost"],
        environment(site, layout, epmd_port),
    )
    written = _definitions_file(site, layout)
    control.run("import_definitions", str(written))
    for user in control.strangers(json.loads(written.read_text())):
        control.run("delete_user", user)


@dataclass(frozen=True)
class Control:
    """The program that tells a running broker what to do."""

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, *words: str) -> str:
        """What it says; raises StackError with its words where it does not do it."""
        done = subprocess.run(
            [*self.command, "--quiet", *words],
            env=os.environ | self.environment, check=False, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        if done.returncode:
            raise StackError(f"rabbitmqctl {words[0]}: {done.stderr.strip() or done.stdout}")
        return done.stdout

    def strangers(self, wanted: Mapping[str, Any]) -> list[str]:
        """The broker's users whom its definitions do not know: of sites that are none any more."""
        known = {user["name"] for user in wanted["users"]}
        return sorted({user["user"] for user in json.loads(self.run("list_users", "--formatter", "json"))} - known)


def _definitions_file(site: Site, layout: Layout) -> Path:
    return layout.broker(site.name) / "definitions.json"


def _settings(site: Site, layout: Layout) -> str:
    settings = SETTINGS.format(
        host=site.broker.host,
        port=site.broker.port,
        tls_port=site.broker.tls_port,
        definitions=_definitions_file(site, layout),
        line=LINE_SETTINGS,
        tls=tls_settings(site.keys.authority, site.keys.certificate),
    )
    return settings + (SHOWN.format(port=site.metrics.broker_port) if site.metrics.broker_port else "")


def tls_settings(authority: Path, certificate: Path) -> str:
    """By what the broker knows its peers, and what it shows them."""
    return TLS_SETTINGS.format(authority=authority, certificate=certificate)


def definitions(site: Site, config: Config) -> dict[str, Any]:
    """The site's own daemons and each of its peers as users of their own, with what each may do."""
    vhost, own = site.broker.vhost, site.broker.user
    peers = {name: other.peers[site.name] for name, other in config.sites.items() if site.name in other.peers}
    passwords = {peer.user: peer.password_file for peer in peers.values()} | {own: site.broker.password_file}
    permissions = {peer.user: of_peer(site.name, view_for(config.rules, name).name) for name, peer in peers.items()}
    return {
        "vhosts": [{"name": vhost}],
        "users": [_user(name, read_secret(path)) for name, path in passwords.items()],
        "permissions": [
            {"user": user, "vhost": vhost, **allowed._asdict()} for user, allowed in (permissions | {own: OWN}).items()
        ],
    }


def _user(name: str, password: str) -> dict[str, Any]:
    """A user by the salted hash of https://www.rabbitmq.com/passwords.html; the salt follows the password."""
    salt = hashlib.sha256(b"salt" + password.encode()).digest()[:4]
    hashed = base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
    return {"name": name, "password_hash": hashed, "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": ""}


def is_ready(site: Site) -> bool:
    """Whether the broker lets the site's own user in."""
    if not is_taken(site.broker.port):
        return False
    parameters = pika.URLParameters(site.broker_url())
    parameters.socket_timeout = parameters.stack_timeout = parameters.blocked_connection_timeout = 2
    try:
        pika.BlockingConnection(parameters).close()
    except (pika.exceptions.AMQPError, OSError):
        return False
    return True

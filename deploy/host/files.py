"""The servers' configuration on a host of its own: the same settings as on the local sites, in Debian's places.

PostgreSQL keeps what its package has put there, and reads ours after it. What depends on the machine (memory, backups)
is not said here.
"""

import grp
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.local import postgres, rabbitmq
from sitecfg import Config, Site

POSTGRESQL = Path("/etc/postgresql/15/main/conf.d/kuroshio.conf")
RABBITMQ = Path("/etc/rabbitmq")
DEFINITIONS = RABBITMQ / "definitions.json"

POSTGRESQL_SETTINGS = """\
# Written by `python -m deploy.host files`.
port = {port}
listen_addresses = 'localhost'
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_timezone = 'UTC'

{replication}"""

# Its own programs alone speak to a broker that is no cluster.
RABBITMQ_ENVIRONMENT = f"""\
# Written by `python -m deploy.host files`.
NODENAME=rabbit@localhost
SERVER_ADDITIONAL_ERL_ARGS="{rabbitmq.RENEWING}"
"""

RABBITMQ_SETTINGS = """\
# Written by `python -m deploy.host files`.
listeners.tcp.default = {host}:{port}
listeners.ssl.default = {listen}:{tls_port}
loopback_users = none
load_definitions = {definitions}

{line}
{tls}
# Streams live on disk and in the page cache.
disk_free_limit.absolute = 2GB
"""


@dataclass(frozen=True)
class File:
    """One file as it should be."""

    path: Path
    text: str
    group: str = "root"
    mode: int = 0o644

    def is_there(self) -> bool:
        try:
            found = self.path.stat()
            return self.path.read_text() == self.text and found.st_mode & 0o777 == self.mode
        except FileNotFoundError:
            return False

    def put(self) -> None:
        """Replace it at once. The folder may belong to the server's user, so nothing that lies there is followed."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(f".{self.path.name}.new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(self.text)
            os.fchown(file.fileno(), 0, grp.getgrnam(self.group).gr_gid)
            os.fchmod(file.fileno(), self.mode)
        fresh.replace(self.path)


def postgresql_files(_: Config, site: Site, __: str) -> Iterator[File]:
    """PostgreSQL's settings."""
    yield File(
        POSTGRESQL,
        POSTGRESQL_SETTINGS.format(port=site.database.port, replication=postgres.replication_settings(site)),
    )


def rabbitmq_files(config: Config, site: Site, listen: str) -> Iterator[File]:
    """The broker's settings; its peers reach it at the address `listen`."""
    yield File(RABBITMQ / "rabbitmq-env.conf", RABBITMQ_ENVIRONMENT)
    authority, certificate = RABBITMQ / "ca.pem", RABBITMQ / "tls.pem"
    yield File(authority, site.keys.authority.read_text())
    yield File(certificate, site.keys.certificate.read_text(), group="rabbitmq", mode=0o640)
    yield File(
        RABBITMQ / "rabbitmq.conf",
        RABBITMQ_SETTINGS.format(
            host=site.broker.host,
            port=site.broker.port,
            listen=listen,
            tls_port=site.broker.tls_port,
            definitions=DEFINITIONS,
            line=rabbitmq.LINE_SETTINGS,
            tls=rabbitmq.tls_settings(authority, certificate),
        ),
    )
    yield File(
        DEFINITIONS, json.dumps(rabbitmq.definitions(site, config), indent=1) + "\n", group="rabbitmq", mode=0o640
    )


SERVERS = {"postgresql": postgresql_files, "rabbitmq": rabbitmq_files}

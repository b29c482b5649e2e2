"""What a site is: the shape of `sites/*.toml`, and the addresses that follow from it."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlencode
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, StrictInt

from .secrets import HIDDEN, read_secret, require_private
from .shapes import LOOPBACK, Host, PathBelow, Port, SiteName, Table, Text, as_tuple, refuse
from .units import BitsPerSecond, Bytes

THIN_BITS_PER_SECOND = 256_000
CERTIFICATE_HINT = "python -m deploy.certificates makes it"


def _time_zone(name: str) -> str:
    if name not in available_timezones():
        raise refuse(f"no time zone is called {name!r}", 'for example "Asia/Taipei"')
    return name


def _languages(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise refuse("a language is named twice", "name each once; the first is the default")
    return names


Language = Literal["zh-hant", "zh-hans", "en"]
Languages = Annotated[tuple[Language, ...], BeforeValidator(as_tuple), AfterValidator(_languages), Field(min_length=1)]


Role = Literal["capture", "apply", "control", "ops", "read"]


class Database(Table):
    """The site's PostgreSQL: as its administrator, who makes what there is, and in the roles of who works on it."""

    host: Host
    port: Port
    name: Text
    user: Text
    password_file: PathBelow = Field(description="the file that holds the password, mode 0600")
    roles: dict[Role, PathBelow] = Field(
        default_factory=dict, description="the files of the roles' passwords: a role that is not here is not used"
    )

    def login(self, role: Role | None = None) -> tuple[str, Path]:
        """Return the user that a role logs in as, the administrator if it is not used, and the file of the password."""
        path = self.roles.get(role) if role else None
        return (role_name(role), path) if role and path else (self.user, self.password_file)


class Broker(Table):
    """The site's RabbitMQ: for its own daemons on the same machine, and by TLS for its peers."""

    host: Host
    port: Port
    vhost: Text = "/"
    user: Text
    password_file: PathBelow = Field(description="the file that holds the password, mode 0600")
    tls_port: Port = Field(default=5671, description="where peers come in, by TLS")


class Web(Table):
    """Where the site's web node listens."""

    host: Host
    port: Port


class Metrics(Table):
    """Where the site's programs show their metrics, on loopback; those that are not named show none."""

    capture_port: Port
    apply_port: Port
    site_port: Port | None = Field(default=None, description="what the site's database holds on its replication")
    control_port: Port | None = None
    web_port: Port | None = Field(default=None, description="the web node's own")
    database_port: Port | None = Field(default=None, description="PostgreSQL's exporter")
    broker_port: Port | None = Field(default=None, description="RabbitMQ's exporter")

    @property
    def ports(self) -> dict[str, int]:
        """Port by what is shown there, ours first."""
        named = {name.removesuffix("_port"): getattr(self, name) for name in type(self).model_fields}
        return {kind: port for kind, port in named.items() if port is not None}


class Keys(Table):
    """The Ed25519 keys by which sites know each other's log, and the certificates by which they know their brokers."""

    directory: PathBelow

    @property
    def own(self) -> Path:
        """The site's private key (PEM, mode 0600)."""
        return self.directory / "site.key"

    def public(self, site: str) -> Path:
        """The public key of a site (PEM)."""
        return self.directory / f"{site}.pub"

    @property
    def certificate(self) -> Path:
        """What the site shows its peers: its certificate and the key to it, in one file (PEM, mode 0600)."""
        return self.directory / "tls.pem"

    @property
    def authority(self) -> Path:
        """By whose signature the site knows its peers' certificates (PEM)."""
        return self.directory / "ca.pem"

    @property
    def mask(self) -> Path:
        """The secret that hashes are made with, which stand for values that do not leave the site (mode 0600)."""
        return self.directory / "mask.key"


class Limits(Table):
    """The bounds within which a site works alone."""

    held_wal_bytes: Bytes = Field(
        default=4 * 2**30, description="WAL kept for peers before the broker's confirm must do"
    )
    stream_retention_bytes: Bytes = Field(default=2 * 2**30, description="the streams' size")
    stream_retention_days: Annotated[StrictInt, Field(ge=1, le=3650)] = 14
    disputed_days: Annotated[StrictInt, Field(ge=0, le=3650)] = Field(
        default=90, description="how long a row is kept that fell with its parent, or was changed while it was deleted"
    )
    clock_ahead_seconds: Annotated[StrictInt, Field(ge=1, le=86400)] = 60
    message_seconds: Annotated[StrictInt, Field(ge=1, le=3600)] = Field(
        default=5, description="how long a part of a large transaction may take on the slowest line to a peer"
    )
    verify_hours: Annotated[StrictInt, Field(ge=1, le=8760)] = Field(
        default=24, description="how often each table is compared with each peer's in the background"
    )
    verify_rows_per_second: Annotated[StrictInt, Field(ge=1)] = Field(
        default=20_000, description="how fast that may go; of a line it takes a tenth"
    )


class Peer(Table):
    """How a site reaches a peer's broker, and how fast that line is towards the site."""

    host: Host
    port: Port
    rate: BitsPerSecond = Field(description='the line\'s speed, for example "10Mbit"')
    user: Text = "peer"
    vhost: Text = "/"
    password_file: PathBelow = Field(description="the file that holds the password, mode 0600")

    @property
    def rate_bytes_per_second(self) -> int:
        """The line's speed as bytes are counted."""
        return self.rate // 8

    @property
    def thin(self) -> bool:
        """Whether this line is to carry the packed stream at all times."""
        return self.rate <= THIN_BITS_PER_SECOND


class Site(Table):
    """One site: a node with its own database and broker."""

    name: SiteName = Field(description="a small letter, then small letters, digits and _, up to 31")
    number: Annotated[StrictInt, Field(ge=1, le=1023)] = Field(
        description="1 to 1023, never used again: it is part of every stamp"
    )
    role: Literal["headquarters", "branch"]
    title: dict[Language, Text] = Field(description='{ en = "…", zh-hant = "…", zh-hans = "…" }')
    time_zone: Annotated[Text, AfterValidator(_time_zone)]
    languages: Languages = Field(description="of zh-hant, zh-hans, en; the first is the default")
    currency: Annotated[Text, Field(pattern="^[A-Z]{3}$")] = Field(description='an ISO 4217 code, for example "TWD"')
    database: Database
    broker: Broker
    web: Web
    metrics: Metrics
    keys: Keys
    limits: Limits = Limits()
    peers: dict[str, Peer] = Field(default_factory=dict)

    def dsn(self, role: Role | None = None, *, hide: bool = False) -> str:
        """Return libpq's connection string, the administrator's or a role's; `hide` leaves the password unread."""
        user, password_file = self.database.login(role)
        return _conninfo(
            host=self.database.host,
            port=str(self.database.port),
            dbname=self.database.name,
            user=user,
            password=HIDDEN if hide else read_secret(password_file),
        )

    def broker_url(self, *, hide: bool = False) -> str:
        """Return the AMQP address of the site's own broker."""
        return _amqp(self.broker, hide=hide)

    def peer_url(self, peer: str, *, hide: bool = False) -> str:
        """Return the AMQP address of a peer's broker, as this site reaches it: by TLS, with this site's certificate.

        The peer proves that it is the site of that name, whatever host the line leads to.
        """
        if hide:
            return _amqp(self.peers[peer], hide=True, scheme="amqps")
        tls = {"ssl_options": self.tls_options(peer)}
        return f"{_amqp(self.peers[peer], hide=False, scheme='amqps')}?{urlencode(tls)}"

    def tls_options(self, peer: str) -> dict[str, str]:
        """Return what a TLS client of a peer's broker is to be told, by Python's names."""
        require_private(self.keys.certificate, CERTIFICATE_HINT)
        certificate, authority = str(self.keys.certificate), str(self.keys.authority)
        return {"certfile": certificate, "keyfile": certificate, "ca_certs": authority, "server_hostname": peer}

    @property
    def web_url(self) -> str:
        """The address of the site's web node."""
        return f"http://{_bracketed(self.web.host)}:{self.web.port}"

    @property
    def metrics_urls(self) -> tuple[str, ...]:
        """The addresses of the metrics, capture's first."""
        return tuple(f"http://{LOOPBACK}:{port}/metrics" for port in self.metrics.ports.values())


def role_name(role: Role) -> str:
    """What PostgreSQL calls it (replication/postgres/roles.sql)."""
    return f"kuroshio_{role}"


def _conninfo(**values: str) -> str:
    """Quote as https://www.postgresql.org/docs/15/libpq-connect.html#LIBPQ-CONNSTRING says."""
    return " ".join(f"{key}={_quoted(value)}" for key, value in values.items())


def _quoted(value: str) -> str:
    if value and not any(character.isspace() or character in "'\\" for character in value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _amqp(broker: Broker | Peer, *, hide: bool, scheme: str = "amqp") -> str:
    password = HIDDEN if hide else quote(read_secret(broker.password_file), safe="")
    user, vhost = quote(broker.user, safe=""), quote(broker.vhost, safe="")
    return f"{scheme}://{user}:{password}@{_bracketed(broker.host)}:{broker.port}/{vhost}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host

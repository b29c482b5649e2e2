"""One PostgreSQL cluster a site: made once, configured on every start, with its database and roles."""

import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from deploy.local.account import hand_over, unprivileged
from deploy.local.layout import Layout, put
from deploy.local.say import StackError
from sitecfg import Site
from sitecfg.secrets import read_secret
from sitecfg.site import role_name

BIN = Path("/usr/lib/postgresql/15/bin")
APP_ROLE = "app"
MEGABYTE = 2**20

SETTINGS = """\
# Made anew by every `make up`. Settings tried by ALTER SYSTEM win over these.
listen_addresses = '{host}'
port = {port}
unix_socket_directories = ''
hba_file = '{hba}'
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %u@%d '

{replication}
# Several clusters share one small machine; what is committed is on disk all the same.
shared_buffers = 32MB
max_connections = 40
min_wal_size = 64MB
max_wal_size = 512MB
autovacuum_max_workers = 2
max_parallel_workers_per_gather = 1
huge_pages = off
jit = off
"""

REPLICATION_SETTINGS = """\
# Replication
wal_level = logical
max_wal_senders = 8
max_replication_slots = 8
max_worker_processes = 8
track_commit_timestamp = on
shared_preload_libraries = 'pglogical'
{output_plugins}# Above the bound at which capture lets the broker's confirm do: the slot is never given up before that.
max_slot_wal_keep_size = {keep_mb}MB
# A value that is refused stands in the detail, and in the statement: neither belongs in a log.
log_error_verbosity = terse
log_min_error_statement = panic
"""

LEAST_KEPT_MB = 64
"""PostgreSQL counts in whole segments of 16 MB, of which a slot that holds nothing back reaches into two."""

ACCESS = """\
# TYPE  DATABASE  USER  ADDRESS       METHOD
host    all       all   {host}/32  scram-sha-256
"""


def check_installed() -> None:
    """Raise StackError unless PostgreSQL 15 with pglogical is there."""
    if not (BIN / "postgres").exists() or not (BIN.parent / "lib" / "pglogical.so").exists():
        raise StackError("PostgreSQL 15 with pglogical is not installed: run deploy/packages.sh")


def configure(site: Site, layout: Layout) -> bool:
    """Write the site's configuration; returns whether it changed."""
    access = put(_access_file(site, layout), ACCESS.format(host=site.database.host), mode=0o644)
    return put(_settings_file(site, layout), _settings(site, layout), mode=0o644) or access


def _settings(site: Site, layout: Layout) -> str:
    return SETTINGS.format(
        host=site.database.host,
        port=site.database.port,
        hba=_quoted(_access_file(site, layout)),
        replication=replication_settings(site),
    )


def replication_settings(site: Site) -> str:
    """What replication asks of a site's PostgreSQL, wherever it runs."""
    return REPLICATION_SETTINGS.format(
        output_plugins="output_plugin_libraries = 'pglogical_output'\n" if _names_output_plugins() else "",
        keep_mb=max(site.limits.held_wal_bytes * 3 // 2 // MEGABYTE, LEAST_KEPT_MB),
    )


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


@cache
def _names_output_plugins() -> bool:
    """15.20 loads only output plugins that are named, 15.18 does not know the setting."""
    known = subprocess.run([BIN / "postgres", "--describe-config"], capture_output=True, text=True, check=True)
    return any(line.startswith("output_plugin_libraries\t") for line in known.stdout.splitlines())


def _settings_file(site: Site, layout: Layout) -> Path:
    return layout.site(site.name) / "postgresql.conf"


def _access_file(site: Site, layout: Layout) -> Path:
    return layout.site(site.name) / "pg_hba.conf"


def command(site: Site, layout: Layout, environment: Mapping[str, str]) -> list[str]:
    """The server in the foreground; its environment is not that of the program which changes the user."""
    settings = f"config_file={_settings_file(site, layout)}"
    variables = ["env", *(f"{name}={value}" for name, value in environment.items())] if environment else []
    server = [str(BIN / "postgres"), "-D", str(layout.cluster(site.name)), "-c", settings]
    return [*unprivileged(), *variables, *server]


def initialise(site: Site, layout: Layout) -> None:
    """Make the cluster unless it is there; an attempt that was interrupted is begun anew."""
    cluster = layout.cluster(site.name)
    if cluster.exists():
        return
    fresh = cluster.with_name("pg.new")
    if fresh.exists():
        shutil.rmtree(fresh)
    fresh.mkdir(mode=0o700)
    hand_over(fresh)
    _initdb(site, fresh)
    fresh.rename(cluster)


def _initdb(site: Site, folder: Path) -> None:
    options = ["--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256", "--no-instructions"]
    options += [f"--username={site.database.user}", f"--pwfile={site.database.password_file}", f"--pgdata={folder}"]
    command = [*unprivileged(), str(BIN / "initdb"), *options]
    made = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    if made.returncode:
        raise StackError(f"initdb of {site.name} failed:\n{made.stderr}")


def is_ready(site: Site) -> bool:
    """Whether the server takes connections."""
    try:
        psycopg.connect(_maintenance(site), connect_timeout=2).close()
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise StackError(
                f"{site.name}: the cluster has another password than {site.database.password_file}: "
                "put the old file back, or start over with `make reset`"
            ) from error
        return False
    return True


def _maintenance(site: Site) -> str:
    return make_conninfo(site.dsn(), dbname="postgres")


def lets_in(site: Site, role: str, password_file: Path) -> bool:
    """Whether a role is there and has this password."""
    try:
        psycopg.connect(_maintenance(site), user=role, password=read_secret(password_file)).close()
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            return False
        raise
    return True


def provide(site: Site, app_password: Path) -> None:
    """Make the site's database, and the roles of its web node and its daemons with the passwords that are in force."""
    roles = {APP_ROLE: app_password}
    roles |= {role_name(role): path for role, path in site.database.roles.items()}
    with psycopg.connect(_maintenance(site), autocommit=True) as connection:
        for name, path in roles.items():
            if not lets_in(site, name, path):
                known = _exists(connection, "select 1 from pg_roles where rolname = %s", name)
                connection.execute(_role(name, read_secret(path), known=known))
        if not _exists(connection, "select 1 from pg_database where datname = %s", site.database.name):
            connection.execute(_database(site.database.name))
    with psycopg.connect(site.dsn(), autocommit=True) as connection:
        # The stamp triggers ask this for every local write.
        connection.execute(f"grant execute on function pg_replication_origin_session_is_setup() to {APP_ROLE}")


def _exists(connection: psycopg.Connection, query: LiteralString, name: str) -> bool:
    return connection.execute(query, [name]).fetchone() is not None


def _role(name: str, password: str, *, known: bool) -> sql.Composed:
    verb = sql.SQL("alter" if known else "create")
    return verb + sql.SQL(" role {} login password {}").format(sql.Identifier(name), sql.Literal(password))


def _database(name: str) -> sql.Composed:
    """The database belongs to the web node's role, which makes its tables and trusted extensions."""
    return sql.SQL("create database {} owner {} template template0 encoding 'UTF8' locale 'C.UTF-8'").format(
        sql.Identifier(name), sql.Identifier(APP_ROLE)
    )

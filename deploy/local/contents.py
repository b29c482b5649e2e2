"""What is in the sites' databases, made by the programs whose business it is; none of it is done here.

Every step may be repeated. The output of a step that fails is shown.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from deploy.local.layout import ROOT, Layout, local_of, put
from deploy.local.say import Say, StackError
from replication.postgres.connect import connect
from sitecfg import Config, Site
from sitecfg.config import ENVIRONMENT

MANAGE = ["app/manage.py"]
REPLICATION = ["-m", "replication"]
SOURCES = ("replication/**/*.py", "replication/**/*.sql", "app/crm/**/migrations/*.py", "app/crm/static/**/*.*")
IDENTITY = "SELECT system_identifier, oid FROM pg_control_system(), pg_database WHERE datname = current_database()"


def prepare(config: Config, layout: Layout, say: Say) -> None:
    """Make the application's tables, where there are web nodes, and put what is declared under replication.

    It takes seconds of computing, so what it depends on is remembered and it is left out while that is the same.
    """
    seen = fingerprint(config, list(config.sites.values()))
    if layout.prepared.exists() and layout.prepared.read_text() == seen:
        return
    if local_of(config).app:
        say("making tables and static files")
        at_each_site(config, [*MANAGE, "migrate", "--verbosity", "0"])
        at_each_site(config, [*MANAGE, "collectstatic", "--no-input", "--verbosity", "0"])
    say("putting the databases under replication")
    run(config, [*REPLICATION, "init"])
    if local_of(config).app:
        run(config, [*REPLICATION, "add-table", *config.rules.replicated])
    put(layout.prepared, seen)


def fingerprint(config: Config, sites: Iterable[Site]) -> str:
    """The databases themselves, the rules, and the files that the steps read."""
    digest = hashlib.sha256(config.rules.version.encode())
    for site in sites:
        digest.update(_identity(site).encode())
    for pattern in SOURCES:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(str(path).encode() + path.read_bytes())
    return digest.hexdigest()


def _identity(site: Site) -> str:
    with connect(site.dsn(), name="identity") as connection:
        return str(connection.execute(IDENTITY).fetchone())


def at_each_site(config: Config, arguments: list[str], *, quiet: bool = True) -> None:
    """Run a program of the application at every site at once."""
    with ThreadPoolExecutor(len(config.sites)) as pool:
        list(pool.map(lambda site: run(config, arguments, site, quiet=quiet), config.sites.values()))


def run(config: Config, arguments: Iterable[str], site: Site | None = None, *, quiet: bool = True) -> None:
    """Run one of our programs to its end; raises StackError with its output if it fails."""
    arguments = list(arguments)
    environment = {**os.environ, ENVIRONMENT: str(config.directory)}
    if site:
        environment["KUROSHIO_SITE"] = site.name
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=quiet, text=True, check=False
    )
    if done.returncode:
        at = f" at {site.name}" if site else ""
        raise StackError(f"{' '.join(arguments)}{at} failed:\n{done.stdout or ''}{done.stderr or ''}".rstrip())

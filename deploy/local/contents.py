"""What is in the sites' databases, made by the programs whose business it is; none of it is done here.

Every step may be repeated. The output of a step that fails is shown.
"""

import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from deploy.local.layout import ROOT, local_of
from deploy.local.say import StackError
from sitecfg import Config, Site
from sitecfg.config import ENVIRONMENT

MANAGE = ["app/manage.py"]
REPLICATION = ["-m", "replication"]


def prepare(config: Config) -> None:
    """Make the application's tables, where there are web nodes, and put what is declared under replication."""
    if local_of(config).app:
        at_each_site(config, [*MANAGE, "migrate", "--verbosity", "0"])
        at_each_site(config, [*MANAGE, "collectstatic", "--no-input", "--verbosity", "0"])
    run(config, [*REPLICATION, "init"])
    if local_of(config).app:
        run(config, [*REPLICATION, "add-table", *config.rules.replicated])


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

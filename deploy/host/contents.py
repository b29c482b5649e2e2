"""What is in the site's database, made by the same programs as on the local sites, at this site alone."""

import os
from pathlib import Path

from deploy.local.contents import MANAGE, REPLICATION, fingerprint, run
from deploy.local.layout import put
from deploy.local.say import StackError
from sitecfg import Config, Site

STATE = "KUROSHIO_STATE"


def is_migrated(config: Config, site: Site) -> bool:
    """Whether the application's tables are those of this release."""
    try:
        run(config, [*MANAGE, "migrate", "--check", "--verbosity", "0"], site)
    except StackError:
        return False
    return True


def migrate(config: Config, site: Site) -> None:
    """Make the application's tables."""
    run(config, [*MANAGE, "migrate", "--verbosity", "0"], site)


def is_prepared(config: Config, site: Site) -> bool:
    """Whether this release has prepared this database for these rules."""
    done = _remembered()
    return done.exists() and done.read_text() == fingerprint(config, [site])


def prepare(config: Config, site: Site) -> None:
    """Put what is declared under replication."""
    run(config, [*REPLICATION, "init", "--site", site.name], site)
    run(config, [*REPLICATION, "add-table", "--site", site.name, *config.rules.replicated], site)
    put(_remembered(), fingerprint(config, [site]))


def _remembered() -> Path:
    return Path(os.environ[STATE]) / "prepared"

"""What the process is told from outside: which site it serves, and where its secrets lie.

Every secret is a file: beside the site's other secrets on the local stack, or where an environment
variable ending in `_FILE` says. Nothing here is read before it is used, so that commands that need
no database (message files, type checks) run on a clean clone.
"""

import os
from pathlib import Path

from sitecfg import Config, ConfigError, Fault, Site

SITE = "KUROSHIO_SITE"


def this_site(config: Config) -> Site:
    """The site named by the environment, else the first, which `demand_site` refuses to serve."""
    return config.site(os.environ.get(SITE) or next(iter(config.sites)))


def demand_site() -> None:
    """Stop a program that would serve or write without having been told for which site."""
    if not os.environ.get(SITE):
        raise ConfigError([Fault("environment", SITE, "is not set", f"name the site to serve: {SITE}=taipei")])


def secret_file(config: Config, variable: str, name: str) -> Path:
    """Where a secret lies: what the variable says, else the local stack's folder of secrets."""
    named = os.environ.get(variable)
    if named:
        return Path(named)
    if config.local is None:
        hint = f"name the file that holds it: {variable}=/…/{name}"
        raise ConfigError([Fault("environment", variable, "is not set, and there is no local stack", hint)])
    return config.local.state / "secrets" / name


def state_folder(config: Config, site: Site) -> Path:
    """Where the node may keep what it can make again: KUROSHIO_STATE, else the local stack's folder."""
    named = os.environ.get("KUROSHIO_STATE")
    if named:
        return Path(named)
    if config.local is None:
        hint = "name a folder for the node's built static files: KUROSHIO_STATE=/var/lib/kuroshio"
        raise ConfigError([Fault("environment", "KUROSHIO_STATE", "is not set, and there is no local stack", hint)])
    return config.local.state / site.name / "web"

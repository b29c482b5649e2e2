"""python -m deploy.host: what is done on the host of one site. Each may run again, and says what it changed.

With --check nothing is changed. `files`, `users` and `database` run as root; `web-secrets`, `migrate` and `web` as the
web node's user; `exchange` where the playbook does, for no host says which files of others it is given; all else as the
daemons' user.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.host import contents, database
from deploy.host.exchange import handovers, passwords
from deploy.host.files import SERVERS
from deploy.local import credentials, rabbitmq
from deploy.local.programs import gunicorn
from deploy.local.say import StackError
from sitecfg import Config, ConfigError, Site, load

SITE, APP_PASSWORD = "KUROSHIO_SITE", "KUROSHIO_APP_PASSWORD_FILE"


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0, or 1 with what is wrong said."""
    options = _options(arguments)
    try:
        config = load()
        options.run(config, config.site(_named(SITE)), options)
    except (ConfigError, StackError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.host", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for run in (_secrets, _web_secrets, _exchange, _files, _users, _database, _migrate, _prepare, _web):
        command = commands.add_parser(run.__name__.strip("_").replace("_", "-"), help=run.__doc__)
        command.add_argument("--check", action="store_true", help="say what would be changed")
        command.set_defaults(run=run)
        if run is _files:
            command.add_argument("--listen", required=True, help="the address at which peers reach the broker")
            command.add_argument("--of", choices=tuple(SERVERS), default="", help="of one of them alone")
    return parser.parse_args(arguments)


def _secrets(config: Config, site: Site, options: argparse.Namespace) -> None:
    """make the passwords and keys that are missing"""
    wanted = {*passwords(config, site), site.keys.own, site.keys.mask, site.keys.public(site.name)}
    missing = [path for path in sorted(wanted) if not path.exists()]
    if missing and not options.check:
        for path in passwords(config, site):
            credentials.make_password(path)
        credentials.make_keys(site)
    _say(missing)


def _web_secrets(_: Config, __: Site, options: argparse.Namespace) -> None:
    """make the application's password, if it is missing"""
    missing = [path for path in [app_password()] if not path.exists()]
    if missing and not options.check:
        credentials.make_password(app_password())
    _say(missing)


def _files(config: Config, site: Site, options: argparse.Namespace) -> None:
    """write the settings of PostgreSQL and RabbitMQ"""
    made = (
        file for name, of in SERVERS.items() if options.of in ("", name) for file in of(config, site, options.listen)
    )
    differing = [file for file in made if not file.is_there()]
    if not options.check:
        for file in differing:
            file.put()
    _say([file.path for file in differing])


def _database(_: Config, site: Site, options: argparse.Namespace) -> None:
    """make the database and its roles, with the passwords that are in force"""
    if database.is_there(site, app_password()):
        return
    if not options.check:
        database.provide(site, app_password())
    print(f"changed database {site.database.name}")


def _exchange(config: Config, site: Site, _: argparse.Namespace) -> None:
    """list, as JSON, what this site takes from the others"""
    taken = [{"from": one.maker, "path": str(one.path), "secret": one.secret} for one in handovers(config, site)]
    print(json.dumps(taken))


def _users(config: Config, site: Site, options: argparse.Namespace) -> None:
    """have the broker forget the users of sites that are none any more"""
    control = rabbitmq.Control(["rabbitmqctl"])
    for user in control.strangers(rabbitmq.definitions(site, config)):
        if not options.check:
            control.run("delete_user", user)
        print(f"changed user {user}")


def _migrate(config: Config, site: Site, options: argparse.Namespace) -> None:
    """make the application's tables as this release has them"""
    if contents.is_migrated(config, site):
        return
    if not options.check:
        contents.migrate(config, site)
    print(f"changed tables of {site.database.name}")


def _prepare(config: Config, site: Site, options: argparse.Namespace) -> None:
    """put the application's tables under replication"""
    if contents.is_prepared(config, site):
        return
    if not options.check:
        contents.prepare(config, site)
    print(f"changed contents of {site.database.name}")


def _web(_: Config, site: Site, __: argparse.Namespace) -> None:
    """serve the web node, where the site's file says"""
    command = gunicorn(site)
    os.execv(command[0], command)


def app_password() -> Path:
    """Where the application's password lies."""
    return Path(_named(APP_PASSWORD))


def _named(variable: str) -> str:
    """What the site's settings say."""
    value = os.environ.get(variable)
    if not value:
        raise StackError(
            f"{variable} is not set: it stands in /etc/kuroshio/site.env, which `kuroshio deploy.host` reads"
        )
    return value


def _say(changed: list[Path]) -> None:
    for path in changed:
        print(f"changed {path}")

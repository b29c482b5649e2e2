"""`python -m sitecfg check [DIR] [--database [--site S]]`, `show [SITE] [--json]` and `rules [TABLE…] [--json]`."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

from .config import Config, load
from .database.check import check_databases
from .effective import as_data, as_text
from .errors import ConfigError, Fault
from .site import Site

FAULTY, UNREACHED = 1, 2
UNREACHED_HINT = "start it, mend its address in sites/, or ask one that answers: --site"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 is well, 1 a faulty configuration, 2 a database that could not be asked."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(load(options.directory or options.config), options)
    except ConfigError as error:
        return _faulty(error)
    return code


def _faulty(error: ConfigError) -> int:
    print(error, file=sys.stderr)
    print(_count(len(error.faults), "fault"), file=sys.stderr)
    return FAULTY


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sitecfg", description="Read a configuration.")
    parser.set_defaults(directory=None)
    common = argparse.ArgumentParser(add_help=False)
    hint = "the configuration directory (or KUROSHIO_CONFIG; else the project's own)"
    common.add_argument("--config", type=Path, metavar="DIR", help=hint)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser("check", parents=[common], help="name every fault; opens no secret but for --database")
    check.add_argument("directory", nargs="?", type=Path, metavar="DIR", help=hint)
    check.add_argument("--database", action="store_true", help="compare the rules with every site's database")
    check.add_argument("--site", metavar="SITE", help="compare them with that site's database alone")
    check.set_defaults(run=_check)
    show = commands.add_parser("show", parents=[common], help="print the sites, without passwords")
    show.add_argument("site", nargs="?", metavar="SITE", help="one site alone")
    show.add_argument("--json", action="store_true", help="working addresses, with passwords")
    show.set_defaults(run=_show)
    rules = commands.add_parser("rules", parents=[common], help="print the rules in effect")
    rules.add_argument("tables", nargs="*", metavar="TABLE", help="these alone, as schema.table")
    rules.add_argument("--json", action="store_true", help="as one object")
    rules.set_defaults(run=_rules)
    return parser


def _check(config: Config, options: argparse.Namespace) -> int:
    asked = _asked(config, options.site) if options.database or options.site else []
    checked = check_databases(config, asked)
    if checked.faults:
        _faulty(ConfigError(checked.faults))
    for site, reason in checked.unreached.items():
        print(f"{site}: its database could not be asked: {reason}\n    {UNREACHED_HINT}", file=sys.stderr)
    if checked.faults or checked.unreached:
        return FAULTY if checked.faults else UNREACHED
    sites, tables = len(config.sites), len(config.rules.replicated)
    databases = f", {_count(len(asked), 'database')}" if asked else ""
    print(
        f"{config.directory}: {_count(sites, 'site')}, {_count(tables, 'table')} under rules "
        f"{config.rules.version}{databases}, no fault"
    )
    return 0


def _show(config: Config, options: argparse.Namespace) -> int:
    sites = _asked(config, options.site)
    if options.json:
        addresses = {site.name: _addresses(site) for site in sites}
        print(json.dumps(addresses, indent=2, ensure_ascii=False))
    else:
        print("\n\n".join("\n".join(_described(site)) for site in sites))
    return 0


def _rules(config: Config, options: argparse.Namespace) -> int:
    tables = options.tables or config.rules.replicated
    unknown = [name for name in tables if name not in config.rules.tables]
    if unknown:
        raise ConfigError(_unknown_table(config, name) for name in unknown)
    if options.json:
        print(json.dumps(as_data(config.rules, tables), indent=2, ensure_ascii=False))
    else:
        print(as_text(config.rules, tables, config.sites))
    return 0


def _unknown_table(config: Config, name: str) -> Fault:
    close = get_close_matches(name, config.rules.tables, n=1)
    hint = f"did you mean {close[0]}?" if close else f"the tables are {', '.join(config.rules.replicated)}"
    return Fault(str(config.directory), "", f"no rules file has {name}", hint)


def _asked(config: Config, name: str | None) -> list[Site]:
    return [config.site(name)] if name else list(config.sites.values())


def _addresses(site: Site) -> dict[str, str | list[str]]:
    return {
        "dsn": site.dsn(),
        "broker_url": site.broker_url(),
        "web_url": site.web_url,
        "metrics_urls": list(site.metrics_urls),
    }


def _described(site: Site) -> Iterator[str]:
    yield f"{site.name} ({site.number}, {site.role}): {' '.join(site.title.values())}"
    yield f"  {site.time_zone}, {site.currency}, {' '.join(site.languages)}"
    yield f"  database  {site.dsn(hide=True)}"
    yield f"  broker    {site.broker_url(hide=True)}"
    yield f"  web       {site.web_url}"
    for address in site.metrics_urls:
        yield f"  metrics   {address}"
    for name, peer in site.peers.items():
        yield f"  peer      {name} {site.peer_url(name, hide=True)} {peer.rate // 1000}kbit"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


if __name__ == "__main__":
    sys.exit(main())

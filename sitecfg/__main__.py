"""`python -m sitecfg check [DIR]` and `python -m sitecfg show [SITE] [--json]`."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from .config import Config, load
from .errors import ConfigError
from .site import Site


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 is well, 1 a faulty configuration."""
    options = _parser().parse_args(arguments)
    try:
        text = options.run(load(options.directory or options.config), options)
    except ConfigError as error:
        print(error, file=sys.stderr)
        print(_count(len(error.faults), "fault"), file=sys.stderr)
        return 1
    print(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sitecfg", description="Read a configuration.")
    parser.set_defaults(directory=None)
    common = argparse.ArgumentParser(add_help=False)
    hint = "the configuration directory (or KUROSHIO_CONFIG; else the project's own)"
    common.add_argument("--config", type=Path, metavar="DIR", help=hint)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser("check", parents=[common], help="name every fault; opens no secret")
    check.add_argument("directory", nargs="?", type=Path, metavar="DIR", help=hint)
    check.set_defaults(run=_checked)
    show = commands.add_parser("show", parents=[common], help="print the sites, without passwords")
    show.add_argument("site", nargs="?", metavar="SITE", help="one site alone")
    show.add_argument("--json", action="store_true", help="working addresses, with passwords")
    show.set_defaults(run=_shown)
    return parser


def _checked(config: Config, options: argparse.Namespace) -> str:
    sites, tables = len(config.sites), len(config.rules.replicated)
    return (
        f"{config.directory}: {_count(sites, 'site')}, {_count(tables, 'table')} under rules "
        f"{config.rules.version}, no fault"
    )


def _shown(config: Config, options: argparse.Namespace) -> str:
    sites = [config.site(options.site)] if options.site else list(config.sites.values())
    if options.json:
        addresses = {site.name: _addresses(site) for site in sites}
        return json.dumps(addresses, indent=2, ensure_ascii=False)
    return "\n\n".join("\n".join(_described(site)) for site in sites)


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

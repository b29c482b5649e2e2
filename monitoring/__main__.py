"""`python -m monitoring write DIR`: the configuration of a Prometheus and an Alertmanager for all sites, or for one."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from monitoring.configuration import Mail, Watch, write
from sitecfg import ConfigError, load


def main(arguments: Sequence[str] | None = None) -> int:
    """Write; 0 is well, 1 a faulty configuration."""
    options = _parser().parse_args(arguments)
    try:
        config = load(options.config)
        sites = [config.site(options.site)] if options.site else list(config.sites.values())
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    mail = Mail(options.smarthost, options.mail_from, options.mail_to)
    write(options.directory, sites, Watch(options.prometheus, options.alertmanager, mail))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m monitoring", description="Watch the sites.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    text = "write prometheus.yml, alertmanager.yml and the rules into a folder"
    made = commands.add_parser("write", help=text, description=text)
    made.add_argument("directory", type=Path, metavar="DIR")
    made.add_argument("--config", type=Path, metavar="DIR", help="the configuration (or KUROSHIO_CONFIG)")
    made.add_argument("--site", metavar="S", help="watch this site alone, from itself; else all of them")
    made.add_argument("--prometheus", default="127.0.0.1:9090", metavar="HOST:PORT", help="where it listens")
    made.add_argument("--alertmanager", default="127.0.0.1:9093", metavar="HOST:PORT", help="where it listens")
    made.add_argument("--smarthost", default="127.0.0.1:25", metavar="HOST:PORT", help="who delivers mail")
    made.add_argument("--mail-from", default="kuroshio@localhost", metavar="ADDRESS")
    made.add_argument("--mail-to", required=True, metavar="ADDRESS", help="who is told")
    return parser


if __name__ == "__main__":
    sys.exit(main())

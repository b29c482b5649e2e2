"""The command line: what it takes, what its exit code says, and how a fault is told.

0: done, or equal. 1: the answer is no (rows differ, a link is behind). 2: it could not be done as asked, or the answer
is not known: standard error says why and what to do next.

Each command is a module of :mod:`replication.commands` with ``run(config, options) -> int``. It is imported when it is
wanted: the daemons' libraries take longer to load than most commands run.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import psycopg

from replication.errors import KuroshioError
from sitecfg import ConfigError, load

UNABLE = 2

_DAEMONS = {
    "capture": "read this site's changes from its WAL and publish them to its broker",
    "apply": "read the peers' changes from their brokers and apply them here",
    "exporter": "show this site's figures to Prometheus",
    "control": "answer what peers ask of this site, and compare its tables with theirs in the background",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(import_module(f"replication.commands.{options.module}").run(load(options.config), options))
    except ConfigError as fault:
        return _tell(str(fault), "mend the configuration; `python -m sitecfg check` checks it again")
    except KuroshioError as fault:
        return _tell(str(fault))
    except psycopg.Error as fault:
        return _tell(f"a site's database refused: {' '.join(str(fault).split())}", "`python -m replication status`")
    except OSError as fault:
        return _tell(str(fault))
    except KeyboardInterrupt:
        return 130


def _tell(message: str, next_step: str = "") -> int:
    print(f"replication: {message}" + (f"\n  next: {next_step}" if next_step else ""), file=sys.stderr)
    return UNABLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m replication", description="Replicate tables between sites.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--config", type=Path, metavar="DIR", help="the configuration (or KUROSHIO_CONFIG; else the project's own)"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, text: str, module: str | None = None) -> argparse.ArgumentParser:
        made = commands.add_parser(name, parents=[common], help=text, description=text)
        made.set_defaults(module=module or name.replace("-", "_"), command=name)
        return made

    adding = command("add-table", "replicate tables; run it again to renew rules and sequences")
    adding.add_argument("tables", nargs="+", metavar="SCHEMA.TABLE")
    for made in (command("init", "put the sites' databases under replication"), adding):
        made.add_argument("--site", metavar="S", help="this site alone; else every site that answers")
    for name, text in _DAEMONS.items():
        command(name, text, "daemons").add_argument("--site", required=True, metavar="S")
    repairing = command("repair", "make rows alike again that differ: first a plan, then its application")
    doing = repairing.add_mutually_exclusive_group(required=True)
    doing.add_argument("--plan", type=Path, metavar="FILE", help="compare all sites and write what would be done")
    doing.add_argument("--apply", type=Path, metavar="FILE", help="have it done, unless a row has changed since")
    _add_questions(
        command("status", "how every link does"), command("verify", "compare all rows at all sites"), repairing
    )
    waiting = command("wait", "wait until all that is committed now is applied everywhere")
    waiting.add_argument("--timeout", type=_seconds, required=True, metavar="S")
    return parser


def _add_questions(
    status: argparse.ArgumentParser, verify: argparse.ArgumentParser, repair: argparse.ArgumentParser
) -> None:
    for made in (status, verify):
        made.add_argument("--json", action="store_true", help="as one JSON object")
    for made in (verify, repair):
        made.add_argument(
            "--timeout", type=_seconds, default=60.0, metavar="S", help="wait this long for the links to catch up (60)"
        )
    verify.add_argument("--background", action="store_true", help="what the sites found by themselves; have them look")


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 10**8:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds")
    return value

"""The command line: what it takes, what its exit code says, and how a fault is told.

0: done, or equal. 1: the answer is no (rows differ, a link is behind). 2: it could not be done as asked, or the answer
is not known: standard error says why and what to do next.

Each command is a module of :mod:`replication.commands` with ``run(config, options) -> int``. It is imported when it is
wanted: the daemons' libraries take longer to load than most commands run.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from replication.errors import KuroshioError
from sitecfg import ConfigError, load

UNABLE = 2
_WATCH_SECONDS = 2.0

_REQUESTS = {
    "retry": "try a change that waits once more, now",
    "edit": "write other values than a change that waits, so that this site can take it",
    "discard": "give a change up at a site; the record keeps it",
    "restore": "have a discarded change wait again",
}
Command = Callable[[str, str], argparse.ArgumentParser]
"""Adds a command: its name and what it does."""

_DAEMONS = {
    "capture": "read this site's changes from its WAL and publish them to its broker",
    "apply": "read the peers' changes from their brokers and apply them here",
    "exporter": "show this site's figures to Prometheus",
    "control": "answer what peers ask of this site, and compare its tables with theirs in the background",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(arguments)
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


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    whole = argparse.ArgumentParser(prog="python -m replication", description="Replicate tables between sites.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--config", type=Path, metavar="DIR", help="the configuration (or KUROSHIO_CONFIG; else the project's own)"
    )
    commands = whole.add_subparsers(required=True, metavar="COMMAND")

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
    repair = command("repair", "make rows alike again that differ: first a plan, then its application")
    doing = repair.add_mutually_exclusive_group(required=True)
    doing.add_argument("--plan", type=Path, metavar="FILE", help="compare all sites and write what would be done")
    doing.add_argument("--apply", type=Path, metavar="FILE", help="have it done, unless a row has changed since")
    _add_looks(command("status", "how every link does"), command("top", "the same, drawn again and again", "status"))
    _add_comparing(command("verify", "compare all rows at all sites"), repair)
    _add_parked(command)
    _add_lives(command)
    waiting = command("wait", "wait until all that is committed now is applied everywhere")
    waiting.add_argument("--timeout", type=_seconds, required=True, metavar="S")
    return whole


def _add_lives(command: Command) -> None:
    """How a site comes, comes back, and goes."""
    joining = command("add-site", "bring a site that the configuration names into the replication that runs")
    joining.add_argument("name", metavar="SITE")
    rejoining = command("rejoin", "bring back a site that was restored, was away for too long, or lost its slot")
    rejoining.add_argument("name", metavar="SITE")
    leaving = command("remove-site", "let a site leave, before and after it is taken out of the configuration")
    leaving.add_argument("name", metavar="SITE")
    leaving.add_argument("--lost", action="store_true", help="it is gone already: keep what the others have of it")
    for made in (joining, rejoining):
        made.add_argument(
            "--from", dest="donor", metavar="DONOR", help="seed it from this site; else from one that fits"
        )
    rejoining.add_argument(
        "--file", type=Path, metavar="FILE", help="seed it from this snapshot, which was taken on another site's host"
    )
    for made in (joining, rejoining, leaving):
        made.add_argument(
            "--timeout", type=_seconds, default=3600.0, metavar="S", help="how long the others may be behind (3600)"
        )
    taking = command("snapshot", "write a site's rows into a file from which another site is seeded")
    taking.add_argument("--site", required=True, metavar="DONOR")
    taking.add_argument("--to", required=True, type=Path, metavar="FILE")
    seeding = command("seed", "load such a file into a site; run it again where it was killed")
    seeding.add_argument("--site", required=True, metavar="S")
    seeding.add_argument("--from", dest="source", type=Path, metavar="FILE")
    seeding.add_argument("--abandon", action="store_true", help="open the site again, where nothing was loaded yet")


def _add_looks(status: argparse.ArgumentParser, top: argparse.ArgumentParser) -> None:
    """``top`` is ``status --watch``."""
    again: dict[str, Any] = {"type": _seconds, "metavar": "S", "help": "again and again, every S seconds (2)"}
    status.add_argument("--watch", nargs="?", const=_WATCH_SECONDS, **again)
    top.add_argument("--every", dest="watch", default=_WATCH_SECONDS, **again)
    for made in (status, top):
        made.add_argument("--json", action="store_true", help="as one JSON object; a line each, where there are many")


def _add_comparing(verify: argparse.ArgumentParser, repair: argparse.ArgumentParser) -> None:
    verify.add_argument("--json", action="store_true", help="as one JSON object")
    verify.add_argument("--background", action="store_true", help="what the sites found by themselves; have them look")
    for made in (verify, repair):
        made.add_argument(
            "--timeout", type=_seconds, default=60.0, metavar="S", help="wait this long for the links to catch up (60)"
        )


def _add_parked(command: Callable[..., argparse.ArgumentParser]) -> None:
    """What waits at a site, what to do about it, and what was done."""
    parked, log = command("parked", "the changes that wait, with their ids"), command("log", "what operators did")
    for made in (parked, log):
        made.add_argument("--site", metavar="S", help="this site alone; else every site")
        made.add_argument("--most", type=int, default=50, metavar="N", help="of each site (50)")
        made.add_argument("--json", action="store_true", help="as one JSON object")
    for name, text in _REQUESTS.items():
        made = command(name, text, "asking")
        made.add_argument("--site", required=True, metavar="S")
        made.add_argument("--why", default="", required=name == "discard", metavar="TEXT", help="for the record")
        if name == "restore":
            made.add_argument("request", type=UUID, metavar="ID", help="of the record that discarded it, as log says")
        else:
            made.add_argument("id", type=int, metavar="ID", help="of the change, as parked says")
        if name == "edit":
            made.add_argument(
                "--set", action="append", required=True, metavar="COLUMN=VALUE", help="COLUMN alone: NULL"
            )


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 10**8:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds")
    return value

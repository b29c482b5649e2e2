"""The command line of the local sites: what `make demo`, `up`, `down`, `wan-cut` and the like call."""

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local import demo, listing
from deploy.local.layout import ROOT
from deploy.local.say import Say, StackError
from deploy.local.stack import Stack
from deploy.local.wan.client import Lines, WanError
from sitecfg import ConfigError, load

INFRASTRUCTURE = "infrastructure"
INTERRUPTED = 130  # as a shell says it

Command = Callable[[argparse.Namespace], None]
if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001  (it has no public name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except (StackError, WanError, ConfigError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="All sites on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add(commands, "install", _install, "install missing Debian packages")
    up = _add(commands, "up", _up, "start the sites")
    up.add_argument("--only", choices=[INFRASTRUCTURE], help="PostgreSQL, RabbitMQ and the WAN, nothing of ours")
    up.add_argument("--faketime", action="append", default=[], metavar="SITE", help="its clock follows a file")
    _add(commands, "down", lambda options: _stack(options).down(), "stop the sites")
    _add(commands, "reset", _reset, "start the sites over, empty")
    _add(commands, "demo", _demo, "start the sites with sample data")
    load_data = _add(commands, "load", _load, "load the Complete Journey data into running sites")
    load_data.add_argument("--size", choices=["demo", "full"], default="demo")
    listed = _add(commands, "ps", _ps, "list the processes with their memory and their use of a core")
    listed.add_argument("--seconds", type=float, default=1.0, help="for how long to watch")
    listed.add_argument("--json", action="store_true")
    _add_wan(commands)
    return parser


def _add(commands: "Commands", name: str, command: Command, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    parser.add_argument("--config", type=Path, metavar="DIR", help="another sitecfg directory")
    parser.set_defaults(command=command)
    return parser


def _add_wan(commands: "Commands") -> None:
    cut = _add(commands, "wan-cut", _wan_cut, "cut lines between sites")
    cut.add_argument("--mode", choices=["silence", "reset"], default="silence")
    heal = _add(commands, "wan-heal", _wan_heal, "heal cut lines; rates and delays stay")
    shape = _add(commands, "wan-shape", _wan_shape, "make lines thin and long")
    shape.add_argument("--rate", help="for example 64kbit; full for no limit")
    shape.add_argument("--delay", help="for example 200ms")
    for parser in (cut, heal, shape):
        parser.add_argument("--site", help="all lines from and to this site")
        parser.add_argument("--peer", help="only those between SITE and this one")
        parser.add_argument("--from", dest="sender", metavar="SITE", help="only what this site sends")
        parser.add_argument("--to", dest="receiver", metavar="SITE", help="only what this site receives")


def _stack(options: argparse.Namespace) -> Stack:
    return Stack(load(options.config), Say(), skewed=getattr(options, "faketime", ()))


def _install(_: argparse.Namespace) -> None:
    if subprocess.run([ROOT / "deploy" / "packages.sh"], check=False).returncode:
        raise StackError("packages are missing")


def _up(options: argparse.Namespace) -> None:
    stack = _stack(options)
    stack.up(infrastructure_only=options.only == INFRASTRUCTURE)
    sys.stdout.write(listing.addresses(stack.config))


def _reset(options: argparse.Namespace) -> None:
    stack = _stack(options)
    stack.reset()
    stack.up()
    sys.stdout.write(listing.addresses(stack.config))


def _demo(options: argparse.Namespace) -> None:
    _install(options)
    stack, say = _stack(options), Say()
    stack.up()
    demo.show(stack.config, say)
    sys.stdout.write(listing.addresses(stack.config) + demo.login(stack.config))


def _load(options: argparse.Namespace) -> None:
    demo.load(load(options.config), options.size, Say())


def _ps(options: argparse.Namespace) -> None:
    usage = listing.usage(_stack(options).layout.state, options.seconds)
    sys.stdout.write(listing.as_json(usage) if options.json else listing.as_table(usage))


def _lines(options: argparse.Namespace) -> Lines:
    return Lines(options.site, options.peer, options.sender, options.receiver)


def _wan_cut(options: argparse.Namespace) -> None:
    lines, wan = _lines(options), _stack(options).wan
    wan.cut(lines, mode=options.mode)
    sys.stdout.write(listing.lines(wan.links()))


def _wan_heal(options: argparse.Namespace) -> None:
    wan = _stack(options).wan
    wan.heal(_lines(options))
    sys.stdout.write(listing.lines(wan.links()))


def _wan_shape(options: argparse.Namespace) -> None:
    wan = _stack(options).wan
    wan.shape(_lines(options), rate=options.rate, delay=options.delay)
    sys.stdout.write(listing.lines(wan.links()))

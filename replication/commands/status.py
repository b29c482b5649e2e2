"""``status``: every site and every link, as far as the sites' databases can be asked; once, or (``top``, ``--watch``)
again and again: on one screen that is drawn anew, and where there is no screen as one report after the other."""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable

from replication.clock import pause
from replication.sites import chosen, reach
from replication.status.operator import StatusReport, read_status
from replication.status.screen import CLEAR_BELOW, HOME, draw, summary
from replication.status.terminal import render
from sitecfg import Config

Picture = Callable[[StatusReport], str]


def run(config: Config, options: argparse.Namespace) -> int:
    """0, whatever it says: to look is no judgement. 2 where no site can be asked."""
    if options.watch is None:
        return _show(_read(config), _json if options.json else _text)
    if options.json:
        return _watch(config, options.watch, _json_line)
    if not sys.stdout.isatty():
        return _watch(config, options.watch, _block)
    print(end=HOME + CLEAR_BELOW)
    return _watch(config, options.watch, _screen)


def _watch(config: Config, seconds: float, picture: Picture) -> int:
    """Until somebody has seen enough."""
    code = 0
    try:
        while True:
            code = _show(_read(config), picture)
            pause(seconds)
    except KeyboardInterrupt:
        return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code


def _show(report: StatusReport, picture: Picture) -> int:
    print(picture(report), end="", flush=True)
    return 0 if report.sites else 2


def _read(config: Config) -> StatusReport:
    numbers = {name: site.number for name, site in config.sites.items()}
    with reach(chosen(config, None), purpose="status") as reached:
        return read_status(reached.connections, reached.unreachable, numbers)


def _colour() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _json(report: StatusReport) -> str:
    return json.dumps(report.as_json(), indent=2, ensure_ascii=False) + "\n"


def _json_line(report: StatusReport) -> str:
    return json.dumps(report.as_json(), ensure_ascii=False) + "\n"


def _text(report: StatusReport) -> str:
    return render(report, colour=_colour()) + "\n"


def _block(report: StatusReport) -> str:
    return f"{summary(report)}\n{render(report, colour=False)}\n\n"


def _screen(report: StatusReport) -> str:
    columns, rows = shutil.get_terminal_size()
    return draw(report, columns=columns, rows=rows, colour=_colour())

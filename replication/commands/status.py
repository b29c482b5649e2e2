"""``status``: every site and every link, as far as the sites' databases can be asked."""

import argparse
import json
import os
import sys

from replication.sites import chosen, reach
from replication.status.operator import read_status
from replication.status.terminal import render
from sitecfg import Config


def run(config: Config, options: argparse.Namespace) -> int:
    """0, whatever it says: to look is no judgement. 2 where no site can be asked."""
    numbers = {name: site.number for name, site in config.sites.items()}
    with reach(chosen(config, None), purpose="status") as reached:
        report = read_status(reached.connections, reached.unreachable, numbers)
    if options.json:
        print(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        print(render(report, colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ))
    return 0 if report.sites else 2

"""``wait``: until all that is committed now, at any site, is applied at every other."""

import argparse
import sys

from replication.sites import chosen, reach
from replication.wait import set_aside, wait
from sitecfg import Config


def run(config: Config, options: argparse.Namespace) -> int:
    """0: all is applied. 1: the links that are named were still behind. 2: a site cannot be asked."""
    with reach(chosen(config, None), purpose="wait") as reached:
        reached.require_all("wait")
        behind = wait(reached.connections, options.timeout)
        for link in behind:
            print(link, file=sys.stderr)
        for site, count in set_aside(reached.connections).items():
            print(f"{site}: {count} changes are parked and counted as passed; verify names them", file=sys.stderr)
    return 1 if behind else 0

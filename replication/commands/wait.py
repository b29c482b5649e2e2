"""``wait``: until all that is committed now, at any site, is applied at every other, and no site is owed anything."""

import argparse
import sys
import time

from replication.sites import chosen, reach
from replication.wait import set_aside, wait, wait_for_owed
from sitecfg import Config


def run(config: Config, options: argparse.Namespace) -> int:
    """0: all is applied. 1: what is named was still behind, or owed. 2: a site cannot be asked."""
    with reach(chosen(config, None), purpose="wait") as reached:
        reached.require_all("wait")
        began = time.monotonic()
        behind = wait(reached.connections, options.timeout)
        left = max(0.0, options.timeout - (time.monotonic() - began))
        owing = wait_for_owed(reached.connections, left)
        for what in [*behind, *owing]:
            print(what, file=sys.stderr)
        for site, count in set_aside(reached.connections).items():
            print(f"{site}: {count} changes are parked and counted as passed; verify names them", file=sys.stderr)
    return 1 if behind or owing else 0

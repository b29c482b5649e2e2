"""``add-table``: put tables under replication at the sites."""

import argparse
import sys

from replication.enlisting import Enlisting
from replication.errors import UsageError
from replication.operators import who
from replication.requests import note
from replication.sites import chosen, reach
from sitecfg import Config


def run(config: Config, options: argparse.Namespace) -> int:
    """Enlist the tables at every site that answers, or at the one named; the others are compared with."""
    with reach(chosen(config, None), purpose="add-table") as reached:
        acting = [site.name for site in chosen(config, options.site) if site.name in reached.connections]
        if not acting:
            reasons = ", ".join(f"{name} ({reason})" for name, reason in reached.unreachable.items())
            raise UsageError(f"nothing was done: not reached: {reasons}")
        for line in Enlisting(config, reached.connections, acting).add(options.tables):
            print(line)
        for site in acting:
            note(reached.connections[site], "add-table", ", ".join(options.tables), by=who(), outcome="done")
    missed = [name for name in reached.unreachable if options.site in (None, name)]
    for name in missed:
        print(f"{name}: not reached, nothing done: {reached.unreachable[name]}", file=sys.stderr)
        print(f"  next: when it is back, the same command with --site {name}", file=sys.stderr)
    return 2 if missed else 0

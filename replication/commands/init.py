"""``init``: put the sites' databases under replication."""

import argparse
import sys

from replication.initialising import initialise_site
from replication.sites import at_each, chosen, reach
from sitecfg import Config


def run(config: Config, options: argparse.Namespace) -> int:
    """Initialise every site that answers, or the one named. 2 where one does not answer."""
    with reach(chosen(config, options.site), purpose="init") as reached:
        answering = {name: config.sites[name] for name in reached.connections}
    for name, incarnation in at_each(answering, initialise_site).items():
        print(f"{name}: under replication, incarnation {incarnation}")
    for name, reason in reached.unreachable.items():
        print(f"{name}: not reached, nothing done: {reason}", file=sys.stderr)
        print(f"  next: when it is back, python -m replication init --site {name}", file=sys.stderr)
    return 2 if reached.unreachable else 0

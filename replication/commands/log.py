"""``log``: what operators did at the sites, who, when and why, and what came of it."""

import argparse
import json
import sys
from dataclasses import asdict

from replication.sites import chosen, reach
from replication.status.held import Deed, deeds
from sitecfg import Config


def run(config: Config, options: argparse.Namespace) -> int:
    """0; 2 where a site cannot be asked, and those that can are told."""
    with reach(chosen(config, options.site), purpose="log") as reached:
        found = {site: deeds(connection, most=options.most) for site, connection in reached.connections.items()}
    if options.json:
        print(json.dumps({site: [asdict(one) for one in those] for site, those in found.items()}, default=str))
    else:
        told = [(deed.asked_at, f"{site}: {_line(deed)}") for site, those in found.items() for deed in those]
        for at, line in sorted(told, reverse=True):
            print(f"{at:%Y-%m-%d %H:%M:%S%z} {line}")
    for site, reason in reached.unreachable.items():
        print(f"{site}: not reached: {reason}", file=sys.stderr)
    return 2 if reached.unreachable else 0


def _line(deed: Deed) -> str:
    about = f" {deed.subject}" if deed.subject else f" {deed.table} ({', '.join(deed.key)})" if deed.table else ""
    came = ": ".join(filter(None, (deed.outcome or "not obeyed yet", deed.detail)))
    columns = f", set {', '.join(deed.columns)}" if deed.columns else ""
    why = f", because: {deed.why}" if deed.why else ""
    named = f" [{deed.id}]" if deed.outcome == "discarded" else ""
    return f"{deed.by}: {deed.action}{about}{columns}{why}: {came}{named}"

"""``parked``: the changes that wait at the sites, each with the id that the other commands take."""

import argparse
import json
from dataclasses import asdict

from replication.sites import chosen, reach
from replication.status.held import Waiting, waiting
from sitecfg import Config

_OPS = {"I": "insert", "U": "update", "D": "delete"}


def run(config: Config, options: argparse.Namespace) -> int:
    """0: nothing waits at the sites that were asked. 1: something does. 2: a site cannot be asked."""
    with reach(chosen(config, options.site), purpose="parked") as reached:
        reached.require_all("parked")
        found = {site: waiting(connection, most=options.most) for site, connection in reached.connections.items()}
    if options.json:
        print(json.dumps({site: [asdict(one) for one in those] for site, those in found.items()}, default=str))
    else:
        for site, those in found.items():
            for one in those:
                print(f"{site} {one.id}: {_line(one)}")
    return int(any(found.values()))


def _line(change: Waiting) -> str:
    """Keys and columns, never values: they are people's data."""
    columns = f" of {', '.join(change.cells)}" if change.op == "U" else ""
    why = ": ".join(filter(None, (change.reason, change.detail)))
    return (
        f"{_OPS[change.op]}{columns} in {change.table} ({', '.join(change.key)}) from {change.origin},"
        f" waits since {change.parked_at:%Y-%m-%d %H:%M:%S}: {why}"
    )

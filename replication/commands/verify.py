"""``verify``: are the replicated tables of all sites equal, row by row? With ``--background``, each site is told to
look for itself, over the bus, and what they found last is shown."""

import argparse
import json
import sys

from replication.operators import who
from replication.postgres import verifications
from replication.postgres.connect import Connection
from replication.requests import ask_comparison
from replication.sites import Reached, at_each, chosen, reach
from replication.verify.comparison import compare
from replication.verify.report import Report
from replication.wait import wait, wait_for_looks
from sitecfg import Config

EQUAL, DIFFERING, UNDECIDED = 0, 1, 2


def run(config: Config, options: argparse.Namespace) -> int:
    """0: equal. 1: differing, and what. 2: it could not be told, and why."""
    if options.background:
        return _background(config)
    with reach(chosen(config, None), purpose="verify") as reached:
        report = verified(reached, config, options.timeout)
    if options.json:
        print(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        _print(report)
    return {True: EQUAL, False: DIFFERING, None: UNDECIDED}[report.equal]


def verified(reached: Reached, config: Config, timeout: float) -> Report:
    """Compare all sites. One that does not answer leaves it open whether all are equal: nothing is compared then."""
    if reached.unreachable:
        return Report(unreachable=dict(reached.unreachable))
    at_each(reached.connections, _give_room)
    sites = reached.connections
    return compare(
        sites,
        lambda: [f"behind: {link}" for link in wait(sites, timeout)],
        config.rules,
        lambda: wait_for_looks(sites, timeout),
    )


def _background(config: Config) -> int:
    with reach(chosen(config, None), purpose="verify") as reached:
        for site, connection in reached.connections.items():
            for known in verifications.known(connection):
                print(f"{site}: {known}")
            ask_comparison(connection, by=who())
        for site, reason in reached.unreachable.items():
            print(f"{site}: not reached: {reason}", file=sys.stderr)
    print("asked to look again; the same command shows what was found")
    return UNDECIDED if reached.unreachable else EQUAL


def _give_room(connection: Connection) -> None:
    connection.execute("SET work_mem = '64MB'")


def _print(report: Report) -> None:
    for name, result in report.tables.items():
        counts = sorted(set(result.rows.values()))
        rows = " to ".join(f"{count:,}" for count in (counts[:1] + counts[-1:] if len(counts) > 1 else counts))
        print(f"{name}: {rows or 'no'} rows, {result.differing:,} differing")
    for line in [*report.differences, *report.parked]:
        print(f"  {line}")
    named = len(report.parked)
    if report.parked_total > named:
        print(f"  and {report.parked_total - named:,} more parked changes")
    for site, reason in report.unreachable.items():
        print(f"{site}: not reached: {reason}", file=sys.stderr)
    for reason in report.undecided:
        print(reason, file=sys.stderr)
    print({True: "equal", False: "NOT EQUAL", None: "could not be told"}[report.equal])

"""``repair``: write down what differs and what would become of it; have that done."""

import argparse
import hashlib
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from replication.commands.verify import verified
from replication.errors import UsageError
from replication.operators import who
from replication.postgres.parameters import register
from replication.repair.plan import read_plan
from replication.repair.repairing import Applied, Repair
from replication.requests import note
from replication.sites import Reached, chosen, reach
from sitecfg import Config

DONE, NOT_DONE, UNDECIDED = 0, 1, 2


def run(config: Config, options: argparse.Namespace) -> int:
    """0: all that differs is planned, there is nothing to do, or all rows are alike. 1: rows stay as they are, or more
    differ than are planned. 2: it could not be told."""
    with reach(chosen(config, None), purpose="repair") as reached:
        reached.require_all("repair")
        for connection in reached.connections.values():
            register(connection)
        if options.plan:
            return _plan(config, reached, options.plan, options.timeout)
        return _apply(config, reached, options.apply, options.timeout)


def _plan(config: Config, reached: Reached, file: Path, timeout: float) -> int:
    report = verified(reached, config, timeout)
    plan, left = Repair(config, reached.connections).plan(report, f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC", who())
    for line in left:
        print(f"not by a repair: {line}")
    for reason in report.undecided:
        print(reason, file=sys.stderr)
    if not plan.rows:
        print("no row can be repaired" if left or report.undecided else "nothing differs")
        return UNDECIDED if report.undecided else NOT_DONE if left else DONE
    _write(file, plan.as_toml())
    for row in plan.rows:
        print(f"{row}: {row.finding}")
    print(f"{len(plan.rows):,} rows; nothing is changed yet\n  next: read {file}, then `repair --apply {file}`")
    if report.unnamed:
        print(f"{report.unnamed:,} more rows differ and are not in it\n  then: `repair --plan {file}` again")
        return NOT_DONE
    return DONE


def _write(file: Path, text: str) -> None:
    """For its owner alone: it holds rows."""
    with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(text)


def _apply(config: Config, reached: Reached, file: Path, timeout: float) -> int:
    try:
        body = file.read_bytes()
        plan = read_plan(body.decode(), str(file))
    except UnicodeDecodeError as fault:
        raise UsageError(f"{file} is no repair plan: it is not UTF-8") from fault
    mark = hashlib.sha256(body).hexdigest()[:16]
    applied = Repair(config, reached.connections).apply(plan, mark, who(), timeout)
    _tell(applied)
    for connection in reached.connections.values() if applied.sent else ():
        note(connection, "repair", f"{len(applied.sent):,} rows, plan {mark}", by=who(), outcome="done")
    return NOT_DONE if applied.stale or applied.differing or applied.behind else DONE


def _tell(applied: Applied) -> None:
    for row in applied.stale:
        print(f"{row} has changed since the plan was made", file=sys.stderr)
    if applied.stale:
        print("nothing was done\n  next: make the plan anew", file=sys.stderr)
        return
    for line in applied.behind:
        print(line, file=sys.stderr)
    for row in applied.differing:
        print(f"{row} is not alike yet\n  next: `repair --plan` again, when all links have caught up", file=sys.stderr)
    print(f"{len(applied.sent):,} rows sent again, {len(applied.alike):,} were alike already")

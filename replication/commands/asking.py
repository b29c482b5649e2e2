"""``retry``, ``edit``, ``discard``, ``restore``: what an operator asks of a change that waits at a site.

The site's apply obeys; the command waits for what comes of it.
"""

import argparse
import sys
import time
from uuid import UUID

from replication.clock import pause
from replication.errors import UsageError
from replication.operators import who
from replication.postgres.connect import Connection
from replication.requests import Action, Outcome, answer_to, ask, ask_back
from replication.sites import chosen, reach
from sitecfg import Config

_PATIENCE_SECONDS = 20.0
_DONE = {Outcome.TAKEN, Outcome.DISCARDED, Outcome.RESTORED}


def run(config: Config, options: argparse.Namespace) -> int:
    """0: done. 1: it is not, and why. 2: it could not be asked, or nobody answers."""
    with reach(chosen(config, options.site), purpose="ask") as reached:
        reached.require_all(options.command)
        connection = reached.connections[options.site]
        answer = _await(connection, _ask(connection, options))
    if answer is None:
        told = f"{options.site} has noted it, and its apply does not answer: it obeys when it runs again"
        print(f"replication: {told}\n  next: python -m replication status", file=sys.stderr)
        return 2
    outcome, detail = answer
    print(f"{options.site}: {': '.join(filter(None, (outcome, detail)))}")
    return int(outcome not in _DONE)


def _ask(connection: Connection, options: argparse.Namespace) -> UUID:
    if options.command == Action.RESTORE:
        return ask_back(connection, options.request, by=who(), why=options.why)
    cells = _cells(options.set) if options.command == Action.EDIT else None
    return ask(connection, Action(options.command), options.id, by=who(), why=options.why, cells=cells)


def _cells(told: list[str]) -> dict[str, str | None]:
    """COLUMN=VALUE, or COLUMN alone for NULL."""
    parted = [text.partition("=") for text in told]
    if not all(name for name, _, _ in parted):
        raise UsageError("--set takes COLUMN=VALUE, or COLUMN for NULL")
    return {name: value if equals else None for name, equals, value in parted}


def _await(connection: Connection, request: UUID) -> tuple[Outcome, str] | None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (answer := answer_to(connection, request)) is None and time.monotonic() < deadline:
        pause(0.1)
    return answer

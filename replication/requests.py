"""What operators ask of a site: the commands made for applications and for the command line.

Asking writes a row (``kuroshio.request``) and nothing else: the site's apply, which is the one writer of the changes
that wait there, obeys within a second and writes what came of it beside it. So it works from wherever somebody has a
session in the site's database, and who did what is on record.

=========== ==========================================================================================================
retry       try a change that waits once more, now, and say what stands against it
edit        write other values, here, as somebody who saw the change: an ordinary write, which travels; then retry
discard     give the change up at this site; it is kept in the record. The row differs from then on from the other
            sites', and ``verify`` says so, until somebody edits it anew or restores the change
restore     have a discarded change wait again
=========== ==========================================================================================================
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from replication.errors import UsageError
from replication.postgres import verifications


class NothingWaitsError(UsageError):
    """What was asked about does not wait any more, or was never discarded."""


class Action(StrEnum):
    """What apply obeys."""

    RETRY = "retry"
    EDIT = "edit"
    DISCARD = "discard"
    RESTORE = "restore"


class Outcome(StrEnum):
    """What came of it."""

    TAKEN = "taken"
    """The change is applied here."""
    WAITS = "waits"
    """Something stands against it still; the detail says what."""
    DISCARDED = "discarded"
    RESTORED = "restored"
    GONE = "gone"
    """Nothing of that id waited any more."""
    FAILED = "failed"
    """It could not be done; the detail says why."""


Command = Literal["add-site", "add-table", "compare", "rejoin", "remove-site", "repair", "seed", "snapshot"]
"""What commands put on record, beside what was asked for."""

Ended = Literal["done", "asked", "closed", "given up", "forgotten"]
"""How: of a site that leaves, that it wrote its last, that it is lost, that nothing is left of it here."""

_COPIED = "nspname, relname, key, moment, op, origin, lsn, change, reason"

_ASK = f"""
INSERT INTO kuroshio.request (id, asked_by, action, why, cells, parked, {_COPIED})
SELECT %(id)s, %(by)s, %(action)s, %(why)s, %(cells)s, id, {_COPIED} FROM kuroshio.parked WHERE id = %(parked)s
    ON CONFLICT DO NOTHING"""

_ASK_BACK = f"""
INSERT INTO kuroshio.request (id, asked_by, action, why, {_COPIED})
SELECT %(id)s, %(by)s, 'restore', %(why)s, {_COPIED} FROM kuroshio.request
 WHERE id = %(discarded)s AND outcome = 'discarded' AND change IS NOT NULL
    ON CONFLICT DO NOTHING"""


def ask(
    connection: psycopg.Connection[Any],
    action: Action,
    parked: int,
    *,
    by: str,
    why: str = "",
    cells: Mapping[str, str | None] | None = None,
    request: UUID | None = None,
) -> UUID:
    """Ask for something to be done with a change that waits; ``request`` is the id under which it may be sent twice.
    Raises :class:`NothingWaitsError`."""
    if action == Action.DISCARD and not why.strip():
        raise UsageError("a change is discarded with a reason: say why")
    if action == Action.EDIT and not cells:
        raise UsageError("an edit says which columns hold what")
    values = {"action": action, "parked": parked, "cells": Jsonb(dict(cells)) if cells else None}
    return _ask(connection, _ASK, f"no change {parked} waits here any more", request, values, by, why)


def ask_back(
    connection: psycopg.Connection[Any], discarded: UUID, *, by: str, why: str = "", request: UUID | None = None
) -> UUID:
    """Ask for a discarded change to wait again. ``discarded`` is the request that discarded it; of a row that was
    withdrawn from this site since, nothing is kept to bring back."""
    told = f"{discarded} is on record here as nothing that was discarded and can be brought back"
    return _ask(connection, _ASK_BACK, told, request, {"discarded": discarded}, by, why)


def _ask(
    connection: psycopg.Connection[Any],
    query: str,
    told: str,
    request: UUID | None,
    values: Mapping[str, object],
    by: str,
    why: str,
) -> UUID:
    named = request or uuid4()
    written = connection.execute(query, {**values, "id": named, "by": by, "why": why.strip()})
    if not written.rowcount and not _is_asked(connection, named):
        raise NothingWaitsError(told)
    return named


def _is_asked(connection: psycopg.Connection[Any], request: UUID) -> bool:
    return connection.execute("SELECT FROM kuroshio.request WHERE id = %s", (request,)).fetchone() is not None


def answer_to(connection: psycopg.Connection[Any], request: UUID) -> tuple[Outcome, str] | None:
    """What came of a request, and the detail; None while nothing did."""
    row = connection.execute(
        "SELECT outcome, detail FROM kuroshio.request WHERE id = %s AND outcome <> ''", (request,)
    ).fetchone()
    return (Outcome(row[0]), str(row[1])) if row else None


def ask_comparison(connection: psycopg.Connection[Any], *, by: str) -> None:
    """Have the site compare all its tables with its peers' now; what was found stands in ``kuroshio.verification``."""
    verifications.ask(connection, by)


def note(
    connection: psycopg.Connection[Any], action: Command, subject: str, *, by: str, outcome: Ended, why: str = ""
) -> None:
    """Put on record what a command did by itself."""
    connection.execute(
        "INSERT INTO kuroshio.request (id, asked_by, action, why, subject, outcome, answered_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, clock_timestamp())",
        (uuid4(), by, action, why, subject, outcome),
    )

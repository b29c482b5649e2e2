"""What a form has seen, and what follows when the row has changed since. Pure.

A replicated row changes while somebody has it open: a colleague saves, or a peer's edit arrives. A
form therefore carries its version: for each field eight characters that stand for the value shown.
With the row as it is now and the values typed, each field is one of four things:

1. nobody touched it: it is not written;
2. only the writer changed it: it is written;
3. only others changed it: it keeps their value, although the form still shows the old one;
4. both did, differently: a clash, told to the writer, who chooses. Until then nothing is written.

The version is made from the values alone, so it says the same on every site and without replication.
"""

import base64
import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

_SIZE = 8


class VersionError(ValueError):
    """The version that came with the form is not one of this form."""


@dataclass(frozen=True)
class Outcome:
    """What to write, and what stands in the way."""

    changes: Mapping[str, Any]
    kept: tuple[str, ...]
    clashes: tuple[str, ...]


def version_of(fields: Iterable[str], row: Mapping[str, Any]) -> str:
    """The version of a row as a form with these fields shows it."""
    return "".join(_mark(field, row[field]) for field in fields)


def weigh(*, fields: tuple[str, ...], seen: str, current: Mapping[str, Any], typed: Mapping[str, Any]) -> Outcome:
    """Set what was typed against what was seen and what is there now."""
    if len(seen) != _SIZE * len(fields):
        raise VersionError(f"a version of {len(fields)} fields has not {len(seen)} characters")
    changes: dict[str, Any] = {}
    kept, clashes = [], []
    for place, field in enumerate(fields):
        was = seen[place * _SIZE : (place + 1) * _SIZE]
        theirs, mine = _mark(field, current[field]), _mark(field, typed[field])
        if mine == theirs:
            continue
        if mine == was:
            kept.append(field)
        elif theirs == was:
            changes[field] = typed[field]
        else:
            clashes.append(field)
    return Outcome(changes, tuple(kept), tuple(clashes))


def _mark(field: str, value: object) -> str:
    digest = hashlib.blake2b(f"{field}\0{_plain(value)}".encode(), digest_size=6).digest()
    return base64.urlsafe_b64encode(digest).decode()


def _plain(value: object) -> str:
    """One spelling for each value as a form shows it: numbers without spare zeros, moments to the minute."""
    match value:
        case None:
            return ""
        case bool():
            return str(int(value))
        case Decimal():
            return format(value.normalize() + 0, "f")
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="minutes")
        case uuid.UUID() | int():
            return str(value)
        case str():
            return value.replace("\r\n", "\n")
    if isinstance(key := getattr(value, "pk", None), uuid.UUID):
        return str(key)
    raise TypeError(f"a form cannot carry {type(value).__name__}")

"""What two sites must have alike of a table, and up to where each must have come for that to be asked."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from replication.errors import DecodeError, UsageError
from replication.postgres.catalog import Table, describe
from replication.postgres.connect import Connection
from replication.postgres.residency import shown_rows
from replication.verify.digests import Digests
from replication.verify.scopes import Scope, entitled
from replication.wait import Mark, applied, lineage, looks, mark
from sitecfg import Rules


def enlisted(connection: Connection, name: tuple[str, str]) -> Table:
    """The table, where it is under replication."""
    query = "SELECT FROM kuroshio.replicated_table WHERE nspname = %s AND relname = %s"
    if connection.execute(query, name).fetchone() is None:
        raise UsageError("not under replication here: run python -m replication add-table")
    return describe(connection, *name)


def dropped(connection: Connection, table: Table) -> set[str]:
    """The columns that were dropped here: their stamps stay in rows that nobody has written since."""
    query = "SELECT unnest(dropped) FROM kuroshio.replicated_table WHERE nspname = %s AND relname = %s"
    return {str(name) for (name,) in connection.execute(query, table.qualified).fetchall()}


def shape_of(table: Table) -> str:
    """The same at two sites where a table has the same columns and the same key."""
    said = json.dumps([sorted(table.types.items()), table.key], ensure_ascii=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def digests_between(table: Table, rules: Rules, sites: tuple[str, str], dropped: tuple[str, ...]) -> list[Digests]:
    """What the rules let both sites have of a table, in the same order at either."""
    pair = sorted(sites)
    audience = entitled(table, rules, pair)
    scopes = [Scope(tuple(pair))] if audience is None else audience.scopes(shown_rows(table))
    both = [scope for scope in scopes if set(scope.sites) == set(pair)]
    return [Digests(table, scope.stamped, dropped, scope.columns, scope.rows) for scope in both]


@dataclass(frozen=True, slots=True)
class Vector:
    """A point in the logs: this site's own, and up to where it has applied the others'."""

    site: str
    lsn: int
    logs: frozenset[str]
    """The names that this site's log has had; LSNs of others are not to be compared with its."""
    applied: Mapping[str, tuple[str, int]]
    looks: int
    """How often apply has looked after the rows that follow from others."""

    def as_json(self) -> dict[str, Any]:
        """As letters hold it."""
        applied = {origin: list(at) for origin, at in self.applied.items()}
        return {"lsn": self.lsn, "logs": sorted(self.logs), "applied": applied, "looks": self.looks}

    def is_passed_by(self, other: "Vector") -> bool:
        """Has the other site applied all that this one had, of its own and of third sites' changes?"""
        log, lsn = other.applied.get(self.site, ("", 0))
        thirds = (o for o in self.applied if o != other.site)
        return log in self.logs and lsn >= self.lsn and all(_is_at(other, o, self.applied[o]) for o in thirds)


def _is_at(site: Vector, origin: str, wanted: tuple[str, int]) -> bool:
    log, lsn = site.applied.get(origin, ("", 0))
    return log == wanted[0] and lsn >= wanted[1]


def vector_from_json(site: str, body: Mapping[str, Any]) -> Vector:
    """Read what a peer says; what is malformed is a DecodeError."""
    try:
        positions = {str(origin): (str(log), int(lsn)) for origin, (log, lsn) in body["applied"].items()}
        return Vector(site, int(body["lsn"]), frozenset(map(str, body["logs"])), positions, int(body["looks"]))
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise DecodeError("positions that are none") from fault


def vector_of(connection: Connection, site: str, *, fence: bool) -> Vector:
    """Where this database stands; with a fence, so that its readers will pass this point."""
    at = mark(connection) if fence else Mark(site, 0)
    return Vector(site, at.lsn, frozenset(lineage(connection)), applied(connection), looks(connection))

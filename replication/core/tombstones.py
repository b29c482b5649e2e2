"""How a tombstone goes: settled, stable, dropped. Pure.

Why in these steps says replication/postgres/tombstones.py, which does the same set-wise.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

Claims = Mapping[tuple[str, str], int]
"""(reader, origin) -> LSN up to which everything of the origin is applied there, and seen by whoever writes there."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Where a deleted row's tombstone stands."""

    needs: Mapping[str, int | None]
    """Origin -> the LSN that every site must claim; None while it is not known yet (a delete made here)."""
    settled: bool = False
    stable: bool = False


def settle(tombstone: Tombstone, own: str, lsn: int) -> Tombstone:
    """Everybody who was at work when it was written has ended. A delete made here gets its LSN."""
    needs = {origin: lsn if origin == own and need is None else need for origin, need in tombstone.needs.items()}
    return replace(tombstone, needs=needs, settled=True)


def is_passed(tombstone: Tombstone, claims: Claims, sites: Collection[str]) -> bool:
    """Does every site claim what it needs?"""
    return tombstone.settled and all(
        need is not None and claims.get((site, origin), -1) >= need
        for origin, need in tombstone.needs.items()
        for site in sites
    )


def due(own: str, settled: Mapping[str, int], wanted: Mapping[str, int], claims: Claims) -> dict[str, int]:
    """What this site has to claim: as much as its tombstones need and anybody else claims, and no more. So who asks is
    answered, and an answer asks for nothing."""
    target = dict(wanted)
    for (reader, origin), lsn in claims.items():
        if reader != own:
            target[origin] = max(lsn, target.get(origin, 0))
    upto = {origin: min(lsn, settled[origin]) for origin, lsn in target.items() if origin in settled}
    return {origin: lsn for origin, lsn in upto.items() if lsn > claims.get((own, origin), 0)}


def collected(
    tombstone: Tombstone, claims: Claims, sites: Collection[str], applied: Mapping[str, int], *, waits: bool, kept: bool
) -> Tombstone | None:
    """One step further, where that is due: None is dropped. ``applied``: all origins here, this site among them;
    ``waits``: a change of the row is parked here; ``kept``: another rule might bring the row back."""
    if kept or not is_passed(tombstone, claims, sites):
        return tombstone
    if tombstone.stable:
        return None
    return tombstone if waits else replace(tombstone, needs=applied, stable=True)


def gives_way(tombstone: Tombstone, claims: Claims, sites: Collection[str], *, waits: bool, kept: bool) -> bool:
    """May a change that did not know it begin anew?"""
    return not kept and (tombstone.stable or (not waits and is_passed(tombstone, claims, sites)))

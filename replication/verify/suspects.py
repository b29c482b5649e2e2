"""The rows of one table that differ between sites, found in two passes over each site, in bounded memory."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

from replication.postgres.connect import Connection
from replication.sites import at_each
from replication.verify.digests import Bucket, Digests, RowDigest, bucket_of

State = tuple[str, str]
States = dict[str, State | None]
"""Site -> the digests of a row's data and of its stamps; None: the row is not there."""

MOST_HELD = 1000
"""Differing rows that are held in full; more are only counted."""


@dataclass(slots=True)
class Suspects:
    """Rows that differ: how many, and the first of them by key."""

    total: int = 0
    states: dict[tuple[str, ...], States] = field(default_factory=dict)
    buckets: set[str] = field(default_factory=set)
    """Of the rows that are held."""

    @property
    def is_complete(self) -> bool:
        """Are all of them held?"""
        return self.total == len(self.states)

    def add(self, row: RowDigest, states: States) -> None:
        """Count a row, and hold it while there is room."""
        self.total += 1
        if len(self.states) < MOST_HELD:
            self.states[row.key] = states
            self.buckets.add(bucket_of(row.place))


Sites = Mapping[str, Connection]


def row_counts(buckets: Mapping[str, Mapping[str, Bucket]]) -> dict[str, int]:
    """Site -> rows."""
    return {site: sum(bucket.rows for bucket in found.values()) for site, found in buckets.items()}


def read_buckets(sites: Sites, digests: Digests) -> dict[str, dict[str, Bucket]]:
    """Site -> the table's buckets there, all sites read at once."""
    return at_each(sites, digests.buckets)


def differing(buckets: Mapping[str, Mapping[str, Bucket]]) -> list[str]:
    """The buckets that are not the same at all sites."""
    names = sorted(set().union(*buckets.values()))
    return [name for name in names if len({found.get(name) for found in buckets.values()}) > 1]


def read_suspects(sites: Sites, digests: Digests, buckets: Sequence[str]) -> Suspects:
    """The rows in these buckets that are not the same at all sites."""
    suspects = Suspects()
    if buckets:
        with ExitStack() as stack:
            streams = {
                name: stack.enter_context(closing(digests.rows(connection, buckets)))
                for name, connection in sites.items()
            }
            for row, states in merge_rows(streams):
                if len(set(states.values())) > 1:
                    suspects.add(row, states)
    return suspects


def merge_rows(streams: Mapping[str, Iterable[RowDigest]]) -> Iterator[tuple[RowDigest, States]]:
    """Walk the sites' rows together, in the order of their places: one of the rows with a key, and their states."""
    walks = {name: iter(stream) for name, stream in streams.items()}
    heads = {name: next(walk, None) for name, walk in walks.items()}
    while rows := [row for row in heads.values() if row is not None]:
        first = min(rows, key=lambda row: (row.place, row.key))
        states: States = {}
        for name, row in heads.items():
            here = row is not None and (row.place, row.key) == (first.place, first.key)
            states[name] = row.state if row is not None and here else None
            if here:
                heads[name] = next(walks[name], None)
        yield first, states

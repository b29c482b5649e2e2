"""Histories in which sites are seeded again from each other, and restored from backups.

What is simulated (replication/snapshot/README.md): the snapshot's contents, what it must hold before it is used, what
was written to a restored site and kept. Not: the file, the logs' retention, WAL positions that are used again (a site's
log goes on behind its old one).
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import reduce

from replication.core.changes import Author, Change
from replication.core.merge import Row, RowRules, merge
from replication.core.rules import HAS_PARTS
from replication.core.stamps import hlc_of
from replication.core.tombstones import Tombstone
from replication.snapshot.keeping import own_changes
from tests.simulation.history import History
from tests.simulation.world import TABLE, Key, Message, Node


class SeededNode(Node):
    """A site that may begin anew from another one's state."""

    def may_be_seeded_from(self, donor: Node) -> bool:
        """The donor has had all that this site wrote, applied and claimed."""
        had = {**donor.applied, donor.name: len(donor.log)}
        claims = [*self.claims.items(), *donor.claims.items()]
        claimed = [(origin, lsn) for (reader, origin), lsn in claims if reader == self.name]
        known = [*self.applied.items(), *claimed, (self.name, len(self.log))]
        return donor.version <= self.version and all(had.get(origin, 0) >= lsn for origin, lsn in known)

    def seed_from(self, donor: Node) -> None:
        """Take the donor's state at this moment, and its positions, for one's own."""
        self.rows, self.parked = dict(donor.rows), list(donor.parked)
        self.graves = {
            key: Tombstone({origin: len(donor.log) if need is None else need for origin, need in grave.needs.items()})
            for key, grave in donor.graves.items()
        }
        self.passages = {site: list(known) for site, known in donor.passages.items()}
        self.conflicts |= donor.conflicts
        for pair, lsn in donor.claims.items():
            self.claims[pair] = max(lsn, self.claims.get(pair, 0))
        self.applied = {**donor.applied, donor.name: len(donor.log)}
        self.applied.pop(self.name, None)
        self.settled, self.wanted = {}, {}

    def restore(self, backup: "SeededNode") -> None:
        """The database is an earlier one; what its log holds is not in it."""
        for name in ("rows", "graves", "applied", "claims", "parked", "passages", "conflicts", "settled", "wanted"):
            setattr(self, name, deepcopy(getattr(backup, name)))

    def rejoin(self, donor: Node, since_us: int) -> None:
        """Seed a restored site; what was written to it is merged, and sent whole."""
        lsn = len(self.log)
        author = Author(self.name, self.number, lsn, lsn, {})
        found = {k: list(own_changes(TABLE, k, row, self.rules, author, since_us)) for k, row in self.rows.items()}
        kept = {key: changes for key, changes in found.items() if changes}
        self.seed_from(donor)
        sent = list[Change]()
        for key, changes in kept.items():
            if key in self.rows or changes[0].op == "I":
                row = reduce(
                    lambda row, c: merge(row, c.row(self.rules), self.rules), changes, self.rows.get(key, Row())
                )
                sent += whole(key, row, self.rules, author)
                self.parked += changes
        self.retry()
        if sent:
            self._append(Message(lsn + 1, tuple(sent), {}, dict(self.applied), self.version))


def whole(key: Key, row: Row, rules: RowRules, author: Author) -> list[Change]:
    """A row as it stands, and its delete, as they travel."""
    cells = row.cells.items()
    parted = {name: cell for name, cell in cells if rules.of(name, cell.stamp.generation) in HAS_PARTS}
    values = {name: cell.value for name, cell in cells}
    changes = [
        Change(
            TABLE,
            "I",
            key,
            values,
            row.base,
            row.written,
            author,
            row.life,
            {name: (cell.stamp.term, cell.stamp.epoch) for name, cell in cells},
            {name: (row.base, rules.fold(name, cell, row.base)) for name, cell in parted.items()},
            moments={name: cell.stamp.moment for name, cell in cells},
            is_whole=True,
        )
    ]
    if row.deleted:
        saw = tuple(row.saw.pack())
        committed = author.to_lsn + 1
        changes.append(
            Change(TABLE, "D", key, {}, row.deleted, 0, author, row.life, saw=saw, committed=committed, is_whole=True)
        )
    return changes if row.known else changes[1:]


@dataclass
class Lives(History):
    """Besides all else: sites are seeded again, and restored."""

    node: type[Node] = SeededNode
    backups: dict[str, SeededNode] = field(default_factory=dict)

    def kinds(self) -> dict[Callable[[], None], int]:
        return {**super().kinds(), self.reseed: 1, self.back_up: 1, self.restore: 1}

    def reseed(self) -> None:
        """A site that was away is closed, heard to its end by a donor, and seeded from it."""
        node, donor = self.dice.sample(self.nodes, 2)
        assert isinstance(node, SeededNode)
        self._hear(donor, node)
        if node.may_be_seeded_from(donor):
            node.seed_from(donor)
            self.done["reseed"] += 1

    def back_up(self) -> None:
        """Somebody copies a site's database."""
        node = self.dice.choice(self.nodes)
        assert isinstance(node, SeededNode)
        self.backups[node.name] = deepcopy(node)

    def restore(self) -> None:
        """A site is restored, people write to it, and it rejoins once every other has read its old log."""
        node, donor = self.dice.sample(self.nodes, 2)
        assert isinstance(node, SeededNode)
        for other in self.nodes:
            self._hear(other, node)
        heard = all(other.applied.get(node.name, 0) == len(node.log) for other in self.nodes if other is not node)
        self.clock_us += 1
        began, log = self.clock_us + self.skew_us.get(node.name, 0), len(node.log)
        last = max((hlc_of(change.moment) for message in node.log for change in message.changes), default=0)
        if node.name not in self.backups or not heard or began <= last:
            return
        present = deepcopy(node)
        node.restore(self.backups[node.name])
        if not node.may_be_seeded_from(donor):
            node.restore(present)
            return
        for _ in range(self.dice.randint(0, 3)):
            self.write_at(node)
        del node.log[log:]  # capture is fenced
        node.rejoin(donor, began)
        self.done["restore"] += 1

    def _hear(self, reader: Node, origin: Node) -> None:
        if reader is not origin and (origin.name, reader.name) not in self.cut:
            for message in reader.unread(origin):
                reader.apply(origin, message)

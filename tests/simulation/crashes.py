"""Histories in which all of it happens: sites are seeded again and restored (`lives.py`), and programs die at any step.

- Between receiving and committing, or in any other transaction: nothing of it was ever there.
- Between a commit and its acknowledgement: what was read last comes again, and more behind it.
- Capture, before publishing: nobody hears of its site until it is back. After publishing, before it has noted that: it
  publishes the same again, which to a reader is what a lost acknowledgement is.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

from tests.simulation.history import BATCH, DivergedError
from tests.simulation.lives import Lives, SeededNode


class MortalNode(SeededNode):
    """A site whose database may die in a transaction."""

    def roll_back(self, before: "MortalNode") -> None:
        """The database is what it was before the transaction began, and so is its WAL."""
        self.restore(before)
        del self.log[len(before.log) :]


@dataclass
class Crashes(Lives):
    """Besides all else: whatever runs may die."""

    node: type[SeededNode] = MortalNode

    def kinds(self) -> dict[Callable[[], None], int]:
        return {
            **super().kinds(),
            self.die_before_commit: 2,
            self.die_before_acknowledging: 2,
            self.die_before_publishing: 1,
        }

    def die_before_commit(self) -> None:
        """An applier, a chore or a user's session is at work, and its transaction comes to nothing."""
        node, other = self.dice.sample(self.nodes, 2)
        assert isinstance(node, MortalNode)
        before = deepcopy(node)
        self.dice.choice((self.write_at, self.keep_house_at, lambda reader: self.deliver_to(reader, other)))(node)
        node.roll_back(before)
        self.done["rolled back"] += 1

    def die_before_acknowledging(self) -> None:
        """A reader that comes back is given the last messages again, and goes on behind them."""
        reader, origin = self.dice.sample(self.nodes, 2)
        if (origin.name, reader.name) in self.cut:
            return
        position = reader.applied.get(origin.name, 0)
        for message in origin.log[max(0, position - BATCH) : position] + reader.unread(origin)[:BATCH]:
            if reader.apply(origin, message) != (message.lsn > position):
                raise DivergedError(f"seed {self.seed}: {reader.name} took {origin.name}'s {message.lsn} wrongly")
        self.done["read again"] += 1

    def die_before_publishing(self) -> None:
        """Nothing of a site is heard until the lines come back."""
        node = self.dice.choice(self.nodes)
        self.cut |= {(node.name, other.name) for other in self.nodes if other is not node}
        self.done["silent"] += 1

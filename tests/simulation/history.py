"""A seeded history: what a few people do at some sites while lines are cut and clocks are wrong, and how it must end.

``python -m tests.simulation --seed 7 --steps 400 --sites 4`` plays one and tells what it did.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from replication.core.merge import Row, is_contested, lives
from replication.core.rules import DELETES
from tests.laws.histories import VALUES
from tests.simulation.world import COLUMNS, GENERATIONS, Key, Node

KEYS: tuple[Key, ...] = ((b"1",), (b"2",), (b"3",))
TEXTS: tuple[bytes | None, ...] = (b"a", b"b", "名".encode(), None)
START_US = 1_000_000_000
SKEW_US = 600_000_000
BATCH = 5


class DivergedError(AssertionError):
    """The sites did not become equal, or something stayed behind."""


@dataclass(slots=True)
class History:
    """One run. Equal arguments give an equal run."""

    seed: int
    sites: int = 4
    node: type[Node] = Node
    dice: random.Random = field(init=False)
    nodes: list[Node] = field(init=False)
    cut: set[tuple[str, str]] = field(default_factory=set)
    clock_us: int = START_US
    skew_us: dict[str, int] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    rounds = 4
    """After so many, what every site has passed is forgotten at all."""

    def __post_init__(self) -> None:
        self.dice = random.Random(f"kuroshio {self.seed} {self.sites}")
        numbers = {f"s{number}": number for number in range(1, self.sites + 1)}
        deletes = self.dice.choices(sorted(DELETES), k=len(GENERATIONS))
        self.nodes = [self.node(name, number, numbers, deletes) for name, number in numbers.items()]

    # -- steps ---------------------------------------------------------------------------------------------------------

    def play(self, steps: int) -> "History":
        """Take so many steps, then let everybody hear of everything."""
        kinds = self.kinds()
        for _ in range(steps):
            self.clock_us += self.dice.choice((0, 0, 1, 50, 100_000))
            [kind] = self.dice.choices(list(kinds), list(kinds.values()))
            kind()
        self.come_together()
        return self

    def kinds(self) -> dict[Callable[[], None], int]:
        """What may happen, and how often."""
        return {
            self.write: 10,
            self.deliver: 12,
            self.deliver_twice: 1,
            self.cut_or_heal: 1,
            self.set_a_clock: 1,
            self.keep_house: 8,
            self.change_rules: 1,
        }

    def write(self) -> None:
        """Somebody inserts, edits or deletes."""
        self.write_at(self.dice.choice(self.nodes))

    def write_at(self, node: Node) -> None:
        """The same at this site."""
        key = self.dice.choice(KEYS)
        now = self.clock_us + self.skew_us.get(node.name, 0)
        kind = self.dice.choice(("insert", "update", "update", "update", "delete"))
        if kind == "insert":
            node.insert(key, {name: self._value(name) for name in COLUMNS}, now)
        elif kind == "update":
            names = self.dice.sample(sorted(COLUMNS), self.dice.choice((1, 1, 2)))
            node.update(key, {name: self._value(name) for name in names}, now)
        else:
            node.delete(key, now)
        self.done[kind] += 1

    def _value(self, column: str) -> bytes | None:
        if column == "owner":
            return self.dice.choice(self.nodes).name.encode()
        return self.dice.choice(VALUES.get(COLUMNS[column], TEXTS))

    def deliver(self) -> None:
        """A few messages of one log arrive at one site."""
        self.deliver_to(*self.dice.sample(self.nodes, 2))

    def deliver_to(self, reader: Node, origin: Node) -> None:
        """The same at this site, of this one's."""
        if (origin.name, reader.name) not in self.cut:
            for message in reader.unread(origin)[: self.dice.randint(1, BATCH)]:
                reader.apply(origin, message)
                self.done["deliver"] += 1

    def deliver_twice(self) -> None:
        """A commit's acknowledgement was lost: the last messages come again."""
        reader, origin = self.dice.sample(self.nodes, 2)
        position = reader.applied.get(origin.name, 0)
        for message in origin.log[max(0, position - BATCH) : position]:
            if reader.apply(origin, message):
                raise DivergedError(f"seed {self.seed}: {reader.name} applied {origin.name}'s {message.lsn} twice")
            self.done["duplicate"] += 1

    def cut_or_heal(self) -> None:
        """A directed line goes down, or all come back."""
        if self.dice.random() < 0.7:
            origin, reader = self.dice.sample(self.nodes, 2)
            self.cut.add((origin.name, reader.name))
        else:
            self.cut.clear()
        self.done["cut"] += 1

    def set_a_clock(self) -> None:
        """A clock is wrong by up to ten minutes, or right again."""
        self.skew_us[self.dice.choice(self.nodes).name] = self.dice.choice((0, -SKEW_US, SKEW_US, 17))
        self.done["clock"] += 1

    def keep_house(self) -> None:
        """A site tries again what waits, settles, claims, collects: any of them, at any time."""
        self.keep_house_at(self.dice.choice(self.nodes))

    def keep_house_at(self, node: Node) -> None:
        """The same at this site."""
        for chore in (node.retry, node.settle, node.claim, node.collect):
            if self.dice.random() < 0.6:
                chore()
        self.done["house"] += 1

    def change_rules(self) -> None:
        """A site gets the next version of the rules, whatever the others have."""
        self.dice.choice(self.nodes).change_rules()
        self.done["rules"] += 1

    # -- the end -------------------------------------------------------------------------------------------------------

    def come_together(self) -> None:
        """The lines come back, and the rules of one site reach all; all must be equal, and nothing may stay behind."""
        self.cut.clear()
        self._agree()
        self._hear_everything()
        self._require_equal()
        for _ in range(self.rounds):
            self._let_go()
        self._require_equal()
        for node in self.nodes:
            hidden = [key for key in node.graves if not node.visible(key) and not self.may_stay(node.rows[key])]
            if hidden or node.parked:
                raise DivergedError(f"seed {self.seed}: {node.name} kept tombstones {hidden}, parked {node.parked}")

    def _let_go(self) -> None:
        for node in self.nodes:
            node.settle()
            node.claim()
        self._hear_everything()
        for node in self.nodes:
            node.collect()

    def may_stay(self, row: Row) -> bool:
        """Is a deleted row kept as long as such rows are kept?"""
        return is_contested(row)

    def _agree(self) -> None:
        newest = max(node.version for node in self.nodes)
        for node in self.nodes:
            while node.version < newest:
                node.change_rules()

    def _hear_everything(self) -> None:
        pairs = [(reader, origin) for reader in self.nodes for origin in self.nodes if reader is not origin]
        while pairs := [(reader, origin) for reader, origin in pairs if reader.unread(origin)]:
            self.dice.shuffle(pairs)
            for reader, origin in pairs:
                for message in reader.unread(origin)[: self.dice.randint(0, BATCH)]:
                    reader.apply(origin, message)
        for node in self.nodes:
            node.retry()

    def _require_equal(self) -> None:
        states = {node.name: self._state(node) for node in self.nodes}
        first = states[self.nodes[0].name]
        for name, state in states.items():
            for key in first.keys() | state.keys():
                if first.get(key) != state.get(key):
                    raise DivergedError(
                        f"seed {self.seed}, {self.sites} sites, row {key}: {self.nodes[0].name} has {first.get(key)},"
                        f" {name} has {state.get(key)}"
                    )

    @staticmethod
    def _state(node: Node) -> dict[Key, object]:
        """What must be equal: the visible rows with their stamps and parts."""
        return {
            key: (row.life, row.base, row.written, dict(row.cells))
            for key, row in node.rows.items()
            if lives(row, node.rules)
        }

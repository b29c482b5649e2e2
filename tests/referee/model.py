"""A tiny model of sites that follow the rules, to try the referee on: a site holds the writes that it has heard of, and
what it shows is worked out anew from these each time. It converges because equal sets of writes show the same.

A model of its own: neither the referee's way of judging nor the replication's way of merging.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from tests.referee.history import End, Record, Rule, Table, Value, Values, Write
from tests.referee.values import elements, magnitude, number

SITES = ("a", "b", "c")
COLUMNS = {
    "owner": Rule("latest"),
    "name": Rule("latest"),
    "credit": Rule("site", "a"),
    "phone": Rule("owner"),
    "limit": Rule("site", "a", {"b": "site"}),
    "status": Rule("owner", written_by={"a": "site", "c": "latest"}),
    "stock": Rule("counter"),
    "tags": Rule("set"),
    "note": Rule("append"),
    "last": Rule("greatest"),
    "first": Rule("least"),
    "serial": Rule("frozen"),
}
CHOICES: dict[str, Sequence[Value]] = {
    "owner": SITES,
    "stock": ("0", "3", "10"),
    "tags": ("{}", "{x}", "{x,y}", "{y,z}"),
    "last": ("1", "5", "9", "20", None),
    "first": ("1", "5", "9", "20", None),
    "serial": ("1", "2", None),
}
WORDS: Sequence[Value] = ("p", "q", "r", None)
Order = tuple[int, str]
Rank = tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """A write, and what its author knew: of each cell the ops that are in it, and how it ranks there."""

    write: Write
    at: Order
    life: int
    known: dict[str, frozenset["Op"]]
    rank: dict[str, Rank]


def edits(ops: frozenset[Op]) -> list[Op]:
    return sorted(ops, key=lambda op: op.at)


class Model:
    """One site. The methods named `show_…` are what the twins break."""

    def __init__(self, name: str, table: Table) -> None:
        self.name, self.table = name, table
        self.log: list[Op] = []
        self.heard: set[Op] = set()
        self.cells: dict[tuple[str, int, str], frozenset[Op]] = defaultdict(frozenset)
        self.deletes: dict[tuple[str, int], frozenset[Op]] = defaultdict(frozenset)
        self.waiting: list[Op] = []

    # -- what is shown -------------------------------------------------------------------------------------------------

    def life(self, key: str) -> int:
        return max((op.life for op in self.heard if op.write.key == key), default=0)

    def row(self, key: str) -> Values | None:
        life = self.life(key)
        if not any(op.write.op == "insert" and op.write.key == key and op.life == life for op in self.heard):
            return None
        if not self.lives(key, life):
            return None
        return {name: self.show(name, self.cells[key, life, name]) for name in self.table.columns}

    def lives(self, key: str, life: int) -> bool:
        deletes = self.deletes[key, life]
        unseen = [
            op
            for name in self.table.columns
            for op in self.cells[key, life, name]
            if not any(op in delete.known[name] for delete in deletes)
        ]
        return not deletes or self.survives(deletes, unseen)

    def survives(self, deletes: frozenset[Op], unseen: Sequence[Op]) -> bool:
        by = {"wins": False, "loses": bool(unseen)}
        return by.get(self.table.delete, any(op.at > max(d.at for d in deletes) for op in unseen))

    def show(self, column: str, ops: frozenset[Op]) -> Value:
        rule = self.table.columns[column].name
        show = {"counter": self.show_sum, "set": self.show_set, "append": self.show_text}.get(rule, self.show_greatest)
        return show(column, ops)

    def show_greatest(self, column: str, ops: frozenset[Op]) -> Value:
        return max(ops, key=lambda op: op.rank[column]).write.after[column]

    def show_sum(self, column: str, ops: frozenset[Op]) -> Value:
        inserts = [op for op in edits(ops) if op.write.op == "insert"]
        changes = [number(op.write.after[column]) - number(op.write.before[column]) for op in ops - {*inserts}]
        return str(number(inserts[-1].write.after[column]) + sum(changes))

    def show_set(self, column: str, ops: frozenset[Op]) -> Value:
        there = {
            element
            for op in ops
            for element in elements(op.write.after[column]) - elements(op.write.before.get(column))
            if not any(element in _removed(other, column) and op in other.known[column] for other in ops)
        }
        return "{" + ",".join(sorted(there)) + "}"

    def show_text(self, column: str, ops: frozenset[Op]) -> Value:
        gone = {op for other in ops if not _goes_on(other, column) for op in other.known[column]}
        texts = [_added(op, column) for op in edits(ops - gone) if op.write.after[column] is not None]
        return "".join(texts) if texts else None

    # -- what is written -----------------------------------------------------------------------------------------------

    def write(self, write: Write, clock: int) -> None:
        """Take a local write of the row as it is shown here."""
        life = self.life(write.key) + (write.op == "insert")
        newest = max((op.at[0] for op in self.heard if op.write.key == write.key), default=0)
        names = [name for name in self.table.columns if write.op == "delete" or write.writes(name)]
        known = {name: self.cells[write.key, life, name] for name in names}
        op = Op(write, (max(clock, newest + 1), self.name), life, known, {})
        for name in names if write.op != "delete" else ():
            op.rank[name] = self.rank(name, op)
        self.log.append(op)
        self.take(op)

    def rank(self, column: str, op: Op) -> Rank:
        """What `show_greatest` goes by: greater than that of all that the author knew."""
        rule, value = self.table.columns[column], op.write.after[column]
        seen = max((other.rank[column] for other in op.known[column]), default=(0, float("-inf")))
        if rule.name == "site":
            return seen[0] + self.has_the_say(column, op), op.at
        if rule.name == "owner":
            moves = [move.at for move in self.cells[op.write.key, op.life, "owner"] if move.write.op == "update"]
            term = max([(0, ""), *moves, *(other.rank[column][0] for other in op.known[column])])
            epoch = max((other.rank[column][1] for other in op.known[column]), default=0)
            return term, epoch + self.has_the_say(column, op), op.at
        if rule.name in ("greatest", "least"):
            return self._extreme(rule.name, value, seen, op.at)
        if rule.name == "frozen":
            return value is not None, -op.at[0], op.at[1]
        return (op.at,)

    def has_the_say(self, column: str, op: Op) -> bool:
        rule = self.table.columns[column]
        if self.name in rule.written_by:
            rule = Rule(rule.written_by[self.name], self.name)
        owner = (op.write.before or op.write.after)["owner"]
        return self.name == (rule.site if rule.name == "site" else owner) and rule.name != "latest"

    @staticmethod
    def _extreme(rule: str, value: Value, seen: Rank, at: Order) -> Rank:
        size = float("-inf") if value is None else float(magnitude(value)[0]) * (1 if rule == "greatest" else -1)
        if (seen[0], size) < seen[:2]:
            return seen[0] + 1, size, at
        return seen[0], size, at

    # -- what is heard -------------------------------------------------------------------------------------------------

    def hear(self, other: "Model", count: int) -> None:
        """The next so many writes of the other's log."""
        unheard = [op for op in other.log if op not in self.heard and op not in self.waiting]
        for op in unheard[:count]:
            self.waiting.append(op)
        for op in list(self.waiting):
            if op.write.op != "update" or self._knows(op):
                self.waiting.remove(op)
                self.take(op)

    def _knows(self, op: Op) -> bool:
        """An update waits for an insert of its life."""
        inserts = (other for other in self.heard if other.write.op == "insert" and other.write.key == op.write.key)
        return any(other.life >= op.life for other in inserts)

    def take(self, op: Op) -> None:
        """With a write comes what is in the cells that it wrote."""
        self.heard.add(op)
        if op.write.op == "delete":
            self.deletes[op.write.key, op.life] |= {op}
            return
        for name, known in op.known.items():
            self.cells[op.write.key, op.life, name] |= known | {op}


def _removed(op: Op, column: str) -> frozenset[str]:
    return elements(op.write.before.get(column)) - elements(op.write.after[column])


def _goes_on(op: Op, column: str) -> bool:
    old, new = op.write.before.get(column), op.write.after[column]
    return old is not None and new is not None and new.startswith(old)


def _added(op: Op, column: str) -> str:
    new = op.write.after[column] or ""
    return new[len(op.write.before[column] or "") :] if _goes_on(op, column) else new


class Game:
    """A seeded history of three sites, of which every write is told to the referee."""

    def __init__(self, seed: int, site: type[Model] = Model) -> None:
        self.dice = random.Random(f"referee {seed}")
        self.table = Table(COLUMNS, self.dice.choice(("wins", "loses", "stamp")), "owner")
        self.sites = {name: site(name, self.table) for name in SITES}
        self.writes: list[Write] = []
        self.clock = 0

    def play(self, steps: int = 40) -> "Game":
        for _ in range(steps):
            self.clock += self.dice.choice((0, 1, 10))
            if self.dice.random() < 0.5:
                self._write(self.dice.choice(SITES), self.dice.choice("12"))
            else:
                reader, origin = self.dice.sample(SITES, 2)
                self.sites[reader].hear(self.sites[origin], self.dice.randint(1, 4))
        for _ in SITES:
            for here, there in product(self.sites.values(), repeat=2):
                here.hear(there, len(self.writes))
        return self

    def _write(self, name: str, key: str) -> None:
        site = self.sites[name]
        before = site.row(key)
        seen = frozenset(op.write.id for op in site.heard)
        write = Write(f"{name}{len(self.writes)}", name, "insert", key, seen)
        if before is None:
            write = replace(write, after={column: self._value(column) for column in COLUMNS})
        elif self.dice.random() < 0.15:
            write = replace(write, op="delete", before=before)
        else:
            edited = {column: self._value(column) for column in self.dice.sample(sorted(COLUMNS), 2)}
            if before["serial"] is not None:
                edited.pop("serial", None)
            if "note" in edited and self.dice.random() < 0.7:
                edited["note"] = (before["note"] or "") + self.dice.choice("stuv")
            write = replace(write, op="update", before=before, after={**before, **edited})
        if write.before != write.after:
            self.writes.append(write)
            site.write(write, self.clock)

    def _value(self, column: str) -> Value:
        return self.dice.choice(CHOICES.get(column, WORDS))

    def end(self) -> End:
        rows = {}
        for name, site in self.sites.items():
            found = {key: site.row(key) for key in "12"}
            rows[name] = {key: row for key, row in found.items() if row is not None}
        return End(rows, set(self.records()))

    def records(self) -> Iterator[Record]:
        """Whoever has all of it sees what was overwritten by one who did not know it, and where deletes met edits."""
        site = self.sites[SITES[0]]
        for key in "12":
            if any(deletes for (of, _), deletes in site.deletes.items() if of == key):
                yield Record(key, "", None)
            for column in COLUMNS:
                for op in site.cells[key, site.life(key), column]:
                    yield Record(key, column, op.write.after[column])

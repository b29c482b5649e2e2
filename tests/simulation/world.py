"""Sites that write, tell each other and forget: everything that decides is `replication.core`, the rest is bookkeeping.

What is simulated: local writes, each site's log, delivery in the order of each log but in any order between logs,
messages delivered twice, cut lines (each direction by itself), a commit lost with its acknowledgement, clocks that are
wrong, changes that wait for their insert, tombstones and the claims by which they go, rules that are changed at one
site after another, the delete rule among them, and contested rows that are buried at once, as if their time had passed.
Columns that sites get on different days: `tests/simulation/test_schemas.py`.

What is not: the races inside one database (`tests/stack/proof/test_races.py`), large transactions in parts
(`tests/simulation/large.py`), foreign and unique keys, a lost log and its rebuilding
(`tests/stack/proof/test_broker_loss.py`). Sites that are seeded again or restored: `lives.py`; programs that die at any
step: `crashes.py`, which plays all of it, by seed and as Hypothesis chooses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from replication.core.authority import Authority, Owner, Standing
from replication.core.burial import bury, is_task_of
from replication.core.changes import Author, Change
from replication.core.concurrency import Passage, had, holder
from replication.core.conflicts import Conflict
from replication.core.deciding import decide
from replication.core.merge import Row, RowRules, is_contested, lives
from replication.core.progress import Step, step
from replication.core.rules import HAS_PARTS
from replication.core.stamps import site_of
from replication.core.tombstones import Tombstone, collected, due, gives_way, is_passed, settle
from replication.core.writing import Values, Writer

Key = tuple[bytes, ...]
TABLE = ("public", "thing")
COLUMNS = {
    "owner": "latest",
    "name": "latest",
    "credit": "site",
    "phone": "owner",
    "status": "owner",
    "stock": "counter",
    "tags": "set",
    "note": "append",
    "last_seen": "greatest",
    "first_seen": "least",
    "origin": "frozen",
}


CHANGED = {
    "name": "append",
    "credit": "site",
    "phone": "latest",
    "stock": "latest",
    "tags": "latest",
    "note": "latest",
    "last_seen": "least",
    "first_seen": "frozen",
    "origin": "latest",
}
"""The columns whose rules are changed, to these and back."""
GENERATIONS = (COLUMNS, {**COLUMNS, **CHANGED}, COLUMNS)
HEADQUARTERS = (1, 2, 3)
"""In each generation: who has the authority of the rule ``site``."""
WRITTEN_BY = {"status": {1: "site", 4: "latest"}}
"""Column -> the rule that a site's own writes follow, whoever owns the row: what headquarters writes has authority in
all rows, what one branch writes not even in its own."""


def rules(deletes: Sequence[str], version: int = 0) -> RowRules:
    """The rules of the one table: every rule of the registry has a column. ``deletes``: the delete rule of each
    version, and of all that come after."""
    earlier = {name: tuple(columns[name] for columns in GENERATIONS[:version]) for name in CHANGED if version}
    return RowRules(GENERATIONS[version], deletes[min(version, len(deletes) - 1)], earlier)


@dataclass(frozen=True, slots=True)
class Message:
    """One transaction of a site's log, which ends at ``lsn``."""

    lsn: int
    changes: tuple[Change, ...] = ()
    claims: Mapping[str, int] = field(default_factory=dict)
    applied: Mapping[str, int] = field(default_factory=dict)
    """What its site had applied of the others by then."""
    version: int = 0
    """Of the rules."""


@dataclass(slots=True)
class Node:
    """One site: its rows and tombstones, its log, and what it knows of the others."""

    name: str
    number: int
    numbers: Mapping[str, int]
    """All sites."""
    deletes: Sequence[str]
    """The delete rule of each version of the rules."""
    rules: RowRules = field(init=False)
    rows: dict[Key, Row] = field(default_factory=dict)
    graves: dict[Key, Tombstone] = field(default_factory=dict)
    log: list[Message] = field(default_factory=list)
    applied: dict[str, int] = field(default_factory=dict)
    claims: dict[tuple[str, str], int] = field(default_factory=dict)
    parked: list[Change] = field(default_factory=list)
    passages: dict[int, list[Passage]] = field(default_factory=dict)
    conflicts: dict[tuple[object, ...], Conflict] = field(default_factory=dict)
    settled: dict[str, int] = field(default_factory=dict)
    wanted: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rules = rules(self.deletes)

    @property
    def version(self) -> int:
        """Of the rules that this site has."""
        return self.rules.generation("name")

    def change_rules(self) -> None:
        """The next version of the rules is put here, if there is one."""
        if self.version + 1 < len(GENERATIONS):
            self.rules = rules(self.deletes, self.version + 1)

    def unread(self, origin: "Node") -> list[Message]:
        """What another site has written and this one not applied, up to what it lacks the rules for."""
        unread = origin.log[self.applied.get(origin.name, 0) :]
        return list(takewhile(lambda message: message.version <= self.version, unread))

    # -- local writes --------------------------------------------------------------------------------------------------

    def visible(self, key: Key) -> bool:
        """Does a reader here see the row?"""
        return key in self.rows and lives(self.rows[key], self.rules)

    def insert(self, key: Key, values: Values, clock_us: int) -> None:
        if self.visible(key):
            return
        before = self.rows.get(key, Row())
        row = self._writer().insert(before, values, clock_us)
        self._write(key, before, row, "I")

    def update(self, key: Key, values: Values, clock_us: int) -> None:
        if not self.visible(key):
            return
        before = self.rows[key]
        frozen = {n for n in COLUMNS if self.rules.of(n) == "frozen" and before.cells[n].value is not None}
        row = self._writer().update(before, {n: v for n, v in values.items() if n not in frozen}, clock_us)
        if row != before:
            self._write(key, before, row, "U")

    def delete(self, key: Key, clock_us: int) -> None:
        if self.visible(key):
            self._write(key, self.rows[key], self._writer().delete(self.rows[key], clock_us), "D")

    def _writer(self) -> Writer:
        return Writer(self.number, self.rules, self._standing)

    def _standing(self, column: str, row: Row) -> Standing:
        value, stamp = row.cells["owner"].value or b"", row.cells["owner"].stamp
        names = {number: name for name, number in self.numbers.items()}
        written_by = {names[number]: rule for number, rule in WRITTEN_BY.get(column, {}).items() if number in names}
        authority = Authority(self.rules.of(column), names.get(HEADQUARTERS[self.version]), written_by=written_by)
        return authority.of(self.name, Owner(value.decode(), stamp.moment if stamp.moment != row.base else 0))

    def _write(self, key: Key, before: Row, row: Row, op: str) -> None:
        lsn = len(self.log) + 1
        author = Author(self.name, self.number, lsn - 1, lsn, {})
        edited = {"I": row.cells, "U": [n for n in row.cells if row.cells[n] != before.cells.get(n)], "D": ()}[op]
        cells = {name: row.cells[name] for name in edited}
        authority = {name: (cell.stamp.term, cell.stamp.epoch) for name, cell in cells.items()}
        parted = {n: c for n, c in cells.items() if op == "U" and self.rules.of(n) in HAS_PARTS}
        parts = {n: (row.base, self.rules.fold(n, cell, row.base)) for n, cell in parted.items()}
        at = row.deleted if op == "D" else max(cell.stamp.moment for cell in cells.values())
        saw = tuple(row.saw.pack()) if op == "D" else ()
        values = {name: cell.value for name, cell in cells.items()}
        change = Change(TABLE, op, key, values, at, before.newest, author, row.life, authority, parts, saw, lsn)
        self.rows[key] = row
        if op == "D":
            needs = self.graves[key].needs if key in self.graves else {}
            self.graves[key] = Tombstone({**needs, self.name: None})
        elif op == "I":
            self.graves.pop(key, None)
        self._append(Message(lsn, (change,), {}, dict(self.applied), self.version))

    def _append(self, message: Message) -> None:
        self.log.append(message)
        self._pass(self.number, message)

    # -- apply ---------------------------------------------------------------------------------------------------------

    def apply(self, origin: "Node", message: Message) -> bool:
        """Apply a message of another site; False where it is a duplicate."""
        position = self.applied.get(origin.name, 0)
        decision = step(position, message.lsn - 1, message.lsn)
        assert message.version <= self.version, f"{self.name} does not have the rules of {origin.name}'s {message.lsn}"
        assert decision is not Step.GAP, f"{self.name} missed something of {origin.name} after {position}"
        if decision is Step.DUPLICATE:
            return False
        self._pass(origin.number, message)
        applied = self._by_number(message.applied)
        for change in message.changes:
            author = Author(origin.name, origin.number, message.lsn - 1, message.lsn, applied)
            self._merge(replace(change, author=author))
        for site, lsn in message.claims.items():
            self.claims[origin.name, site] = max(lsn, self.claims.get((origin.name, site), 0))
        self.applied[origin.name] = message.lsn
        return True

    def _by_number(self, applied: Mapping[str, int]) -> dict[int, int]:
        return {self.numbers[name]: lsn for name, lsn in applied.items()}

    def _pass(self, site: int, message: Message) -> None:
        moments = [change.moment for change in message.changes if not change.is_whole]
        if moments:
            applied = self._by_number(message.applied)
            passage = Passage(site, min(moments), max(moments), message.lsn - 1, message.lsn, applied)
            self.passages.setdefault(site, []).append(passage)

    def _merge(self, change: Change) -> None:
        key, waits = change.key, any(parked.key == change.key for parked in self.parked)
        local = self.rows.get(key, Row())
        grave = self.graves.get(key)
        unknown = change.op != "D" and change.life <= local.life and not self.visible(key)
        kept = self.is_kept(local)
        if grave and unknown and gives_way(grave, self.claims, self.numbers, waits=waits, kept=kept):
            del self.graves[key], self.rows[key]
            local = Row()
        decision = decide(local, [change], self.rules, self._concurrent, lambda *_: "")
        self.parked += [parked for parked, _, _ in decision.waits]
        for found in decision.conflicts:
            self.conflicts[found.table, found.key, found.column, found.winner, found.loser] = found
        if decision.row == local:
            return
        self.rows[key] = row = decision.row
        if not row.deleted:
            self.graves.pop(key, None)
        else:
            needs = dict(self.graves[key].needs) if key in self.graves else {}
            if change.op == "D":
                needs[change.author.origin] = max(change.committed, needs.get(change.author.origin) or 0)
            self.graves[key] = Tombstone(needs)

    def _concurrent(self, version: int, change: Change) -> bool:
        author, site = change.author, site_of(version)
        if site == author.number or change.seen == version:
            return False
        theirs = Passage(author.number, change.moment, change.moment, author.from_lsn, author.to_lsn, author.applied)
        known = self.passages.get(site, [])
        if had(theirs, version, known):
            return False
        return site == self.number or not had(holder(version, known), change.moment, [theirs])

    # -- now and then --------------------------------------------------------------------------------------------------

    def retry(self) -> None:
        """Merge what waits; what must wait again is parked again."""
        for change in list(self.parked):
            self._merge(change)
            self.parked.remove(change)

    def settle(self) -> None:
        """Nobody is at work in a simulated site between two steps, so all that is committed is settled."""
        lsn = len(self.log)
        self.graves = {key: settle(grave, self.name, lsn) for key, grave in self.graves.items()}
        for grave in self.graves.values():
            self._want(grave)
        first = dict[str, int]()
        for change in self.parked:
            origin = change.author.origin
            first[origin] = min(change.author.from_lsn, first.get(origin, change.author.from_lsn))
        self.settled = {name: min(lsn, first.get(name, lsn)) for name, lsn in self.applied.items()} | {self.name: lsn}

    def claim(self) -> None:
        """A row of this site's own log, behind all that it speaks of."""
        fresh = due(self.name, self.settled, self.wanted, self.claims)
        if fresh:
            self.claims |= {(self.name, name): lsn for name, lsn in fresh.items()}
            self._append(Message(len(self.log) + 1, (), fresh, dict(self.applied), self.version))

    def collect(self) -> None:
        """Tombstones go on by a step."""
        here = {**self.applied, self.name: len(self.log)}
        for key, grave in list(self.graves.items()):
            if lives(self.rows[key], self.rules):
                continue  # a bare one, beside a row that outlived it, stays with that row
            waits = any(change.key == key for change in self.parked)
            kept = self.is_kept(self.rows[key])
            after = collected(grave, self.claims, self.numbers, here, waits=waits, kept=kept)
            if after is None:
                del self.graves[key], self.rows[key]
            else:
                self.graves[key] = after
                self._want(after)

    def bury(self, clock_us: int) -> None:
        """Contested rows are kept no longer."""
        waiting = {change.key for change in self.parked}
        for key, grave in self.graves.items():
            row = self.rows[key]
            due = not lives(row, self.rules) and is_contested(row) and key not in waiting
            mine = is_task_of(self.number, row.deleted, self.numbers.values())
            if due and mine and is_passed(grave, self.claims, self.numbers):
                self._write(key, row, self.buried(row, clock_us), "D")

    def buried(self, row: Row, clock_us: int) -> Row:
        return bury(row, self._writer(), clock_us)

    def is_kept(self, row: Row) -> bool:
        """Might a deleted row come back under another rule?"""
        return is_contested(row)

    def _want(self, grave: Tombstone) -> None:
        for origin, lsn in grave.needs.items():
            self.wanted[origin] = max(lsn or 0, self.wanted.get(origin, 0))

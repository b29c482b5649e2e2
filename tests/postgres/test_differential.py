"""The set-based SQL apply against the pure merge: equal changes, in another order and in batches, give equal rows.

Histories are played by the simulation, at three sites under every rule of the registry. All their changes are then
applied to a real database in a random interleaving of the three logs, cut into random batches, some of them twice.
``KUROSHIO_DIFFERENTIAL=2000`` plays more histories (`make bench-long`).
"""

import json
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import pytest

from replication.apply.applier import Applier
from replication.apply.merging import Merger
from replication.apply.tables import Tables
from replication.core.changes import Author, Change
from replication.core.merge import Row, RowRules, lives
from replication.core.rules import DELETES
from replication.core.stamps import Stamp, term_within
from replication.postgres import applying, states
from replication.postgres.catalog import Table, describe
from replication.postgres.parameters import register
from replication.postgres.rows import FastRows
from replication.wire.message import COMMIT_LSN, REFERENTIAL, Section
from sitecfg import ColumnRule, Rules, TableRules
from tests.postgres.servers import Pair, as_applied
from tests.simulation.history import History
from tests.simulation.world import CHANGED, COLUMNS, GENERATIONS, Key, Message

HISTORIES = int(os.environ.get("KUROSHIO_DIFFERENTIAL", "200"))
STEPS = 80
TYPES = {
    "counter": "numeric(12,2)",
    "set": "text[]",
    "greatest": "numeric",
    "least": "timestamp",
}


class Short(History):
    """Nothing is forgotten: what a database has dropped cannot be compared."""

    def keep_house(self) -> None:
        self.dice.choice(self.nodes).retry()

    def come_together(self) -> None:
        self.cut.clear()
        self._agree()
        self._hear_everything()
        self._require_equal()


@pytest.fixture(params=sorted(DELETES))
def delete(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def table(pair: Pair, delete: str) -> Table:
    columns = ", ".join(f"{name} {TYPES.get(rule, 'text')}" for name, rule in COLUMNS.items())
    pair.everywhere(f"CREATE TABLE thing (id text PRIMARY KEY, {columns})")
    register(pair.alpha)
    rules: dict[str, object] = {
        "delete": delete,
        "owner": "owner",
        "columns": {n: {"rule": rule, "generation": len(was(n)) + 1, "was": was(n)} for n, rule in COLUMNS.items()},
    }
    pair.enlist("thing", rules)
    return describe(pair.alpha, pair.schema, "thing")


def was(name: str) -> tuple[str, ...]:
    """The rules that a column had before the last one."""
    return tuple(columns[name] for columns in GENERATIONS[:-1]) if name in CHANGED else ()


def histories(delete: str) -> Iterator[Short]:
    seed = 0
    found = 0
    while found < HISTORIES // len(DELETES) + 1:
        history = Short(seed, 3)
        seed += 1
        if history.nodes[0].rules.delete == delete:
            found += 1
            yield history


def as_sections(table: Table, changes: Sequence[Change]) -> Iterator[Section]:
    """The wire's form: changes of one operation and one set of columns together."""

    def plan(change: Change) -> tuple[object, ...]:
        return change.op, tuple(change.cells), tuple(sorted(change.parts))

    for _, run in groupby(sorted(changes, key=lambda c: (str(plan(c)), c.moment)), plan):
        rows = list(run)
        first = rows[0]
        names = (*table.key, *first.cells)
        values = [[row.key[0] for row in rows], *([row.cells[name] for row in rows] for name in first.cells)]
        extra = {"life": [row.life for row in rows]} if any(row.life > 1 for row in rows) or first.op == "D" else {}
        for name in first.cells:
            stamps = [Stamp(*row.authority.get(name, (0, 0)), row.moment) for row in rows]
            for kind, numbers in (
                ("generation", [stamp.generation for stamp in stamps]),
                ("term", [term_within(stamp.term) for stamp in stamps]),
                ("epoch", [stamp.epoch for stamp in stamps]),
            ):
                extra |= {f"{kind}:{name}": numbers} if any(numbers) else {}
        blobs: dict[str, list[bytes | None]] = {
            f"parts:{name}": [_json(row.parts[name]) for row in rows] for name in first.parts
        }
        if first.op == "D":
            extra[COMMIT_LSN] = [row.committed for row in rows]
            extra[REFERENTIAL] = [int(row.referential) for row in rows]
            blobs["saw"] = [("{" + ",".join(map(str, row.saw)) + "}").encode() for row in rows]
        moments, seen = [row.moment for row in rows], [row.seen for row in rows]
        yield Section(table.qualified, first.op, names, 1, values, moments, seen, extra, blobs)  # type: ignore[arg-type]


def _json(pair: tuple[int, object]) -> bytes:
    return json.dumps(list(pair)).encode()


def batches(history: Short, dice: random.Random) -> Iterator[tuple[str, int, list[Change]]]:
    """Runs of the three logs in a random interleaving; now and then one comes again."""
    left: dict[str, list[Message]] = {node.name: list(node.log) for node in history.nodes}
    numbers = {node.name: node.number for node in history.nodes}
    while any(left.values()):
        origin = dice.choice([name for name, messages in left.items() if messages])
        count = dice.randint(1, 7)
        run, left[origin] = left[origin][:count], left[origin][count:]
        changes = [change for message in run for change in message.changes]
        for _ in range(dice.choice((1, 1, 1, 2))):
            yield origin, numbers[origin], changes


def test_applying_set_wise_is_merging(pair: Pair, table: Table, delete: str) -> None:
    columns = {name: ColumnRule(rule, generation=len(was(name)) + 1, was=was(name)) for name, rule in COLUMNS.items()}
    tables = Tables(pair.alpha, Rules({str(table): TableRules("owner", delete, columns)}))
    parked: list[Change] = []
    merger = Merger(pair.alpha, 1, list(pair.config.sites), tables, lambda change, *_: parked.append(change))
    applier = Applier(pair.alpha, tables, merger, FastRows(), 10**18)
    dice = random.Random(f"differential {delete}")
    expected: dict[Key, Row] = {}
    with as_applied(pair.alpha):
        for number, history in enumerate(histories(delete)):
            history.play(STEPS)
            rename = {key: (b"%d-%s" % (number, key[0]),) for key in {k for node in history.nodes for k in node.rows}}
            expected |= {rename[key]: row for key, row in history.nodes[0].rows.items()}
            for origin, site, changes in batches(history, dice):
                author = Author(origin, site, 0, 0, {})
                ours = {"author": author, "table": table.qualified}
                here = [replace(change, key=rename[change.key], **ours) for change in changes]  # type: ignore[arg-type]
                with pair.alpha.transaction():
                    applier.apply(list(as_sections(table, here)), author, careful=False)
            _retry(pair, applier, parked)
    rules = tables.rules(table)
    found = states.read(pair.alpha, table, sorted(expected), rules)
    for key, row in expected.items():
        assert differences(found[key].row, row, rules) == {}, key
        assert found[key].visible is lives(row, rules)
    assert not applying.any_parked(pair.alpha)


def _retry(pair: Pair, applier: Applier, parked: list[Change]) -> None:
    """What waited for its insert is merged once that is there."""
    while parked:
        waiting, parked[:] = list(parked), []
        for change in waiting:
            applier.merge_or_park(change)
        assert len(parked) < len(waiting), "nothing more can be merged, and something waits"


def differences(applied: Row, merged: Row, rules: RowRules) -> dict[str, object]:
    """What two sites must agree on, and do not: here, there."""
    here, there = _comparable(applied, rules), _comparable(merged, rules)
    return {
        name: (here.get(name), there.get(name))
        for name in here.keys() | there.keys()
        if here.get(name) != there.get(name)
    }


def _comparable(row: Row, rules: RowRules) -> dict[str, object]:
    cells = {name: (cell.stamp, cell.value, rules.fold(name, cell, row.base)) for name, cell in row.cells.items()}
    return {"": (row.life, row.base, row.deleted), **cells}

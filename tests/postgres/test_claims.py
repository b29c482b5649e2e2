"""Unique keys and parents: what a database shows after random changes, in random batches, is what the pure functions
say of all of them together."""

import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import pytest

from replication.apply.applier import Applier
from replication.apply.merging import Merger
from replication.apply.tables import Tables
from replication.core.changes import Author, Change
from replication.core.claims import Appearance, Claim, Hidden, UniqueKey, age, appearance, lost
from replication.core.merge import Row, RowRules, lives, merge
from replication.core.stamps import moment
from replication.definitions import rules_for
from replication.errors import UsageError
from replication.postgres import applying, states
from replication.postgres.catalog import describe
from replication.postgres.indexes import Constraints, constraints
from replication.postgres.parameters import register
from replication.postgres.rows import FastRows
from replication.status import Unshown, claims_of, out_of_table
from sitecfg import Rules, TableRules, UniqueRule
from tests.postgres.house import PARENTS, RULES, House, Key, create, house_under
from tests.postgres.servers import Pair, as_applied
from tests.postgres.test_differential import as_sections

HISTORIES = max(10, int(os.environ.get("KUROSHIO_DIFFERENTIAL", "0")) // 10)
MARK = UniqueKey("c_mail", ("mail",), "mark", "mail", 20)
NULL = UniqueKey("c_tax", ("tax", "a"), "null", "tax")
HIDE = UniqueKey("c_pair", ("a", "b"), "hide")
Cells = Mapping[str, bytes | None]


@pytest.fixture
def house(pair: Pair) -> House:
    create(pair)
    return house_under(pair, RULES)


class Story:
    """Random changes of two other sites, each of which is a partial state: in any order they merge to the same rows."""

    def __init__(self, schema: str, seed: int) -> None:
        self.dice = random.Random(seed)
        self.schema = schema
        self.clock = 1000
        self.changes: list[Change] = []
        for name in PARENTS:
            for number in range(1, 4):
                self.add(name, number, "I", {"name": b"x"})
        for _ in range(50):
            self._write()

    def _write(self) -> None:
        dice = self.dice
        if dice.random() < 0.15:
            name, number = dice.choice(PARENTS), dice.randint(1, 3)
            self.add(name, number, dice.choice("DDU"), {"name": b"y"})
            return
        cells: dict[str, bytes | None] = {
            "mail": dice.choice([None, b"Chen@a.tw", b"chen@a.tw", b"wang@b.cn.example"]),
            "tax": dice.choice([None, b"1", b"1.0", b"2"]),
            "a": dice.choice([b"1", b"2", b"3"]),
            "b": dice.choice([None, b"1", b"2"]),
            **{f"{name}_id": dice.choice([None, b"1", b"2", b"3"]) for name in PARENTS},
        }
        op = dice.choice("IIUUUUD")
        kept = cells if op == "I" else {name: cells[name] for name in dice.sample(sorted(cells), dice.randint(1, 2))}
        self.add("c", dice.randint(1, 7), op, kept)

    def add(self, table: str, number: int, op: str, cells: Cells) -> None:
        self.clock += self.dice.randint(1, 5)
        at, site = moment(self.clock, self.dice.choice((2, 3))), 0
        saw = (moment(self.clock - self.dice.randint(1, 60), 3), site) if op == "D" else ()
        author = Author("beta", 2, 0, 0, {})
        cells = {} if op == "D" else cells
        self.changes.append(
            Change((self.schema, table), op, (b"%d" % number,), cells, at, 0, author, saw=saw, committed=1)
        )

    def batches(self) -> Iterator[list[Change]]:
        """In any order, some of it twice."""
        left = self.changes + self.dice.sample(self.changes, 10)
        self.dice.shuffle(left)
        while left:
            count = self.dice.randint(1, 12)
            yield left[:count]
            del left[:count]


Value = Callable[[Row], object]


def text(row: Row, name: str) -> str | None:
    value = row.cells[name].value
    return None if value is None else value.decode()


def mail(row: Row) -> object:
    value = text(row, "mail")
    return None if value is None else value.lower()


def tax(row: Row) -> object:
    value, a = text(row, "tax"), text(row, "a")
    return None if value is None or a is None or int(a) <= 1 else float(value)


def both(row: Row) -> object:
    pair = text(row, "a"), text(row, "b")
    return None if None in pair else pair


class Expected:
    """What follows from all changes together, by the pure functions and plain comparison of values."""

    def __init__(self, changes: Sequence[Change]) -> None:
        rules = RowRules()
        rows: dict[tuple[str, Key], Row] = {}
        for change in changes:
            name = change.table[1], change.key
            rows[name] = merge(rows[name], change.row(rules), rules) if name in rows else change.row(rules)
        self.rows = rows
        self.living = {name for name, row in rows.items() if lives(row, rules)}
        fallen = {name for name in self.living if name[0] == "c" and self._is_dead("q", rows[name])}
        children = {name[1]: rows[name] for name in self.living - fallen if name[0] == "c"}
        losses: dict[Key, list[UniqueKey]] = {}
        for unique, value in ((MARK, mail), (NULL, tax), (HIDE, both)):
            for key in lost(_claims(children, unique, value)):
                losses.setdefault(key, []).append(unique)
        self.shown: dict[Key, Appearance] = {key: Appearance(Hidden.FALLEN) for _, key in fallen}
        for key, row in children.items():
            unset = ["r_id"] if self._is_dead("r", row) else []
            self.shown[key] = appearance(row, key, lost=losses.get(key, []), unset=unset)
        back = {children[key].cells["p_id"].value for key, one in self.shown.items() if not one.hidden}
        self.living |= {("p", (value,)) for value in back if value is not None}

    def _is_dead(self, parent: str, row: Row) -> bool:
        value = row.cells[f"{parent}_id"].value
        return value is not None and (parent, (value,)) not in self.living


def _claims(rows: Mapping[Key, Row], unique: UniqueKey, value: Value) -> list[Claim]:
    numbers: dict[object, int] = {}
    return [
        Claim(numbers.setdefault(value(row), len(numbers)), key, age(row, unique.columns))
        for key, row in rows.items()
        if value(row) is not None
    ]


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_the_tables_show_what_follows_from_all_changes(house: House, seed: int) -> None:
    story = Story(house.pair.schema, seed)
    for batch in story.batches():
        house.apply(batch)
        if story.dice.random() < 0.2:
            house.look_again()
    for _ in range(4):
        house.look_again()
    require_shown(house, story.changes)


def require_shown(house: House, changes: Sequence[Change]) -> None:
    """The database shows what follows from these changes."""
    expected = Expected(changes)
    for name in PARENTS:
        living = {key for table, key in expected.living if table == name}
        assert {(str(i).encode(),) for (i,) in house.pair.run(house.pair.alpha, f"SELECT id FROM {name}")} == living
    table = house.by_name["c"]
    known = [key for (name, key), row in expected.rows.items() if name == "c" and row.known]
    found = states.read(house.pair.alpha, table, sorted(known), house.tables.rules(table))
    assert {key: state.appearance for key, state in found.items() if state.exists} == expected.shown
    for key, after in expected.shown.items():
        assert found[key].row.cells == expected.rows["c", key].cells
        assert found[key].visible is not bool(after.hidden)


def test_an_edit_of_what_is_shown_claims_that_and_gives_the_old_claim_up(house: House) -> None:
    pair = house.pair
    pair.run(pair.alpha, "INSERT INTO c (id, mail) VALUES (1, 'chen@a.tw')")
    older = Change((pair.schema, "c"), "I", (b"2",), _cells(b"chen@a.tw"), moment(5, 2), 0, Author("beta", 2, 0, 0, {}))
    house.apply([older])
    [(shown, claims)] = pair.run(pair.alpha, "SELECT mail, kuroshio_claims FROM c WHERE id = 1")
    assert str(shown).startswith("chen@a.tw~")
    assert claims == {"mail": "chen@a.tw"}
    pair.run(pair.alpha, "UPDATE c SET a = 5 WHERE id = 1")
    assert pair.run(pair.alpha, "SELECT kuroshio_claims IS NULL FROM c WHERE id = 1") == [(False,)]
    pair.run(pair.alpha, "UPDATE c SET mail = 'new@a.tw' WHERE id = 1")
    assert pair.run(pair.alpha, "SELECT kuroshio_claims IS NULL FROM c WHERE id = 1") == [(True,)]
    pair.run(pair.alpha, "DELETE FROM c WHERE id = 2")
    house.look_again()
    assert pair.run(pair.alpha, "SELECT mail FROM c") == [("new@a.tw",)]


def test_who_waits_is_shown_when_a_local_user_lets_go(house: House) -> None:
    pair = house.pair
    pair.run(pair.alpha, "INSERT INTO c (id, mail, a, b) VALUES (1, 'chen@a.tw', 1, 1)")
    younger = moment(10**15, 2)
    cells = _cells(b"chen@a.tw") | {"a": b"1", "b": b"1"}
    house.apply([Change((pair.schema, "c"), "I", (b"2",), cells, younger, 0, Author("beta", 2, 0, 0, {}))])
    assert pair.run(pair.alpha, "SELECT id FROM c") == [(1,)], "the younger claim on (a, b) waits hidden"
    table, waiting = f"{pair.schema}.c", out_of_table(pair.alpha, f"{pair.schema}.c", ["1", "2"])
    assert {key: (image.hidden, image.cells["mail"]) for key, image in waiting.items()} == {
        "2": ("unique", "chen@a.tw")
    }
    pair.run(pair.alpha, "UPDATE c SET b = 2")
    house.look_again()
    assert claims_of(pair.alpha, table, "id", [1, 2]) == {"2": Unshown({"mail": "chen@a.tw"})}
    assert out_of_table(pair.alpha, table, ["1", "2"]) == {}
    assert pair.run(pair.alpha, "SELECT id, left(mail, 10) FROM c ORDER BY id") == [(1, "chen@a.tw"), (2, "chen@a.tw~")]
    pair.run(pair.alpha, "DELETE FROM c WHERE id = 1")
    house.look_again()
    assert pair.run(pair.alpha, "SELECT id, mail FROM c") == [(2, "chen@a.tw")]
    query = "SELECT type, rule FROM kuroshio.conflict WHERE nspname = %s ORDER BY rule"
    assert pair.run(pair.alpha, query, (pair.schema,)) == [
        ("multiple_unique_conflicts", "unique.c_mail = mark"),
        ("multiple_unique_conflicts", "unique.c_pair = hide"),
    ]


def test_a_reference_that_postgresql_sets_to_null_is_no_edit(house: House) -> None:
    pair = house.pair
    pair.run(pair.alpha, "ALTER TABLE c DROP CONSTRAINT c_r_id_fkey")
    pair.run(pair.alpha, "ALTER TABLE c ADD CONSTRAINT c_r_id_fkey FOREIGN KEY (r_id) REFERENCES r ON DELETE SET NULL")
    pair.run(pair.alpha, f"SELECT kuroshio.generate('{pair.schema}', 'c')")
    pair.run(pair.alpha, "INSERT INTO r VALUES (1, 'x')")
    pair.run(pair.alpha, "INSERT INTO c (id, r_id) VALUES (1, 1)")
    [before] = pair.run(pair.alpha, "SELECT kuroshio FROM c")
    pair.run(pair.alpha, "DELETE FROM r")
    assert pair.run(pair.alpha, "SELECT r_id, kuroshio_claims, kuroshio FROM c") == [(None, {"r_id": "1"}, *before)]
    pair.run(pair.alpha, "INSERT INTO r VALUES (1, 'again')")
    house.look_again()
    assert pair.run(pair.alpha, "SELECT r_id, kuroshio_claims FROM c") == [(1, None)]


def test_a_row_that_fell_claims_again_when_its_parent_is_back(house: House) -> None:
    pair = house.pair
    pair.run(pair.alpha, "INSERT INTO q VALUES (1, 'x')")
    author = Author("beta", 2, 0, 0, {})
    saw = pair.run(pair.alpha, "SELECT kuroshio FROM q")[0][0]
    gone = Change((pair.schema, "q"), "D", (b"1",), {}, moment(2 * 10**15, 2), 0, author, saw=tuple(saw), committed=1)  # type: ignore[arg-type]
    lies = Change((pair.schema, "c"), "I", (b"1",), _cells(b"a@b") | {"q_id": b"1"}, moment(5, 2), 0, author)
    house.apply([gone])
    house.apply([lies])
    pair.run(pair.alpha, "INSERT INTO c (id, mail) VALUES (2, 'a@b')")
    pair.run(pair.alpha, "INSERT INTO q VALUES (1, 'again')")
    house.look_again()
    shown = pair.run(pair.alpha, "SELECT id, left(mail, 4) FROM c ORDER BY id")
    assert shown == [(1, "a@b"), (2, "a@b~")], "the older claim holds, whoever was out of sight meanwhile"


def test_a_row_that_refers_to_itself_holds_itself_not(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree)")
    register(pair.alpha)
    table = pair.enlist("tree")
    merger = Merger(pair.alpha, 1, list(pair.config.sites), Tables(pair.alpha, Rules({})), lambda *_: None)
    author = Author("beta", 2, 0, 0, {})
    with as_applied(pair.alpha), pair.alpha.transaction():
        pair.run(pair.alpha, "SET LOCAL session_replication_role = replica")
        for number, up in ((1, 1), (2, 3), (3, 2)):
            pair.run(pair.alpha, f"INSERT INTO tree VALUES ({number}, {up}, '{{1,1}}')")
        for number in (1, 2, 3):
            name = (pair.schema, "tree")
            gone = Change(name, "D", (b"%d" % number,), {}, moment(9, 2), 0, author, saw=(1, 0), committed=1)
            merger.merge(table, [gone])
        for number in (1, 2, 3):
            merger.release(table, [(b"%d" % number,)])
    assert pair.run(pair.alpha, "SELECT id FROM tree") == []


def _cells(address: bytes) -> dict[str, bytes | None]:
    return {"mail": address, "tax": None, "a": None, "b": None, "p_id": None, "q_id": None, "r_id": None}


def test_a_reference_that_postgresql_sets_to_null_needs_the_rule_that_says_so(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE r (id int PRIMARY KEY)")
    pair.everywhere("CREATE TABLE c (id int PRIMARY KEY, r_id int REFERENCES r ON DELETE SET NULL)")
    table = describe(pair.alpha, pair.schema, "c")
    found = constraints(pair.alpha, table)
    rules_for(table, found, TableRules(parents={"c_r_id_fkey": "null"}))
    with pytest.raises(UsageError, match="ON DELETE SET NULL"):
        rules_for(table, found, TableRules())


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        (TableRules(unique_keys={"c_pair": UniqueRule("mark")}), "can show a marked text"),
        (TableRules(unique_keys={"c_mail": UniqueRule("null")}, groups={"g": ("mail", "tax")}), "can show NULL"),
        (TableRules(parents={"c_s_id_fkey": "falls"}), "none of that name"),
        (TableRules(parents={"c_r_id_fkey": "null"}, groups={"g": ("a", "r_id")}), "in a column group"),
    ],
)
def test_what_no_column_can_bear_is_refused(house: House, rules: TableRules, says: str) -> None:
    table = house.by_name["c"]
    with pytest.raises(UsageError, match=says):
        rules_for(table, constraints(house.pair.alpha, table), rules)


def test_a_child_that_came_with_a_parent_which_is_dead_falls_with_it(pair: Pair) -> None:
    """The child goes set-wise, as its parent is in the same section; the parent is merged, because of its tombstone."""
    pair.everywhere("CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree)")
    register(pair.alpha)
    rules = TableRules(parents={"tree_up_fkey": "falls"})
    pair.enlist("tree", rules_for(describe(pair.alpha, pair.schema, "tree"), Constraints(), TableRules()))
    table = describe(pair.alpha, pair.schema, "tree")
    tables = Tables(pair.alpha, Rules({str(table): rules}))
    merger = Merger(pair.alpha, 1, list(pair.config.sites), tables, partial(applying.park, pair.alpha))
    applier = Applier(pair.alpha, tables, merger, FastRows(), 10**18)
    author = Author("beta", 2, 0, 0, {})

    def change(op: str, key: bytes, at: int, up: bytes | None = None) -> Change:
        cells = {"up": up} if op == "I" else {}
        return Change(table.qualified, op, (key,), cells, moment(at, 2), 0, author, saw=(moment(at, 2), 0), committed=1)

    for changes in ([change("D", b"1", 9)], [change("I", b"1", 5), change("I", b"2", 6, b"1")]):
        with as_applied(pair.alpha), pair.alpha.transaction():
            pair.run(pair.alpha, "SET LOCAL session_replication_role = replica")
            applier.apply(list(as_sections(table, changes)), author, careful=False)
    assert pair.run(pair.alpha, "SELECT id FROM tree") == []
    query = "SELECT key, hidden FROM kuroshio.tombstone WHERE nspname = %s ORDER BY key"
    assert pair.run(pair.alpha, query, (pair.schema,)) == [(["1"], ""), (["2"], "fallen")]
    query = "SELECT key, type, column_name, winner >> 10, loser >> 10 FROM kuroshio.conflict WHERE nspname = %s"
    assert pair.run(pair.alpha, query, (pair.schema,)) == [(["2"], "foreign_key_missing", "up", 9, 6)]

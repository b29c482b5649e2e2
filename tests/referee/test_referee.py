"""The referee accepts what sites that follow the rules come to, and finds each fault that is put into them."""

import ast
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.referee.history import End, Record, Rule, Table, Values, Write
from tests.referee.model import COLUMNS, Game, Model, Op, Rank, edits
from tests.referee.rules import ALLOWS
from tests.referee.verdict import judge

GAMES = 400


def verdict(seed: int, site: type[Model] = Model) -> list[str]:
    game = Game(seed, site).play()
    return judge(game.table, game.writes, game.end())


def test_the_referee_shares_no_code_with_what_it_judges() -> None:
    for path in Path(__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                allowed = name.startswith("tests.referee.") or name.partition(".")[0] in sys.stdlib_module_names
                assert allowed or (path.name.startswith("test_") and name == "pytest"), f"{path.name} imports {name}"


def test_every_rule_is_played() -> None:
    assert {rule.name for rule in COLUMNS.values()} == set(ALLOWS)


@pytest.mark.parametrize("first", range(0, GAMES, 100))
def test_sites_that_follow_the_rules_are_found_right(first: int) -> None:
    for seed in range(first, first + 100):
        assert verdict(seed) == [], f"seed {seed}"


# -- broken twins: each breaks one rule --------------------------------------------------------------------------------


def last_written(column: str) -> type[Model]:
    """Under the column's rule the last write wins, whoever wrote it."""

    class LastWritten(Model):
        def show(self, name: str, ops: frozenset[Op]) -> str | None:
            return edits(ops)[-1].write.after[name] if name == column else super().show(name, ops)

    return LastWritten


def first_written(column: str) -> type[Model]:
    class FirstWritten(Model):
        def show(self, name: str, ops: frozenset[Op]) -> str | None:
            return edits(ops)[0].write.after[name] if name == column else super().show(name, ops)

    return FirstWritten


class NoClauses(Model):
    """Who writes makes no difference."""

    def has_the_say(self, column: str, op: Op) -> bool:
        rule = self.table.columns[column]
        owner = (op.write.before or op.write.after)["owner"]
        return self.name == (rule.site if rule.name == "site" else owner)


class CountsTwice(Model):
    def show_sum(self, column: str, ops: frozenset[Op]) -> str:
        return str(int(super().show_sum(column, ops) or 0) + (len(ops) > 3))


class ForgetsAFragment(Model):
    def show_text(self, column: str, ops: frozenset[Op]) -> str | None:
        text = super().show_text(column, ops)
        return text[1:] if text else text


class TurnsFragmentsRound(Model):
    def show_text(self, column: str, ops: frozenset[Op]) -> str | None:
        text = super().show_text(column, ops)
        return text[::-1] if text else text


class CorrectsNothing(Model):
    def rank(self, column: str, op: Op) -> Rank:
        return (0, *super().rank(column, op)[1:]) if column == "last" else super().rank(column, op)


class RowsComeBack(Model):
    def survives(self, deletes: frozenset[Op], unseen: object) -> bool:
        return True


class RowsStayGone(Model):
    def survives(self, deletes: frozenset[Op], unseen: object) -> bool:
        return False


TWINS: Mapping[str, tuple[type[Model], str]] = {
    "latest": (first_written("name"), "name shows"),
    "site": (last_written("credit"), "credit shows"),
    "owner": (last_written("phone"), "phone shows"),
    "site, for two": (NoClauses, "limit shows"),
    "owner, but for some": (NoClauses, "status shows"),
    "counter": (last_written("stock"), "stock shows"),
    "counter, one more": (CountsTwice, "stock shows"),
    "set": (last_written("tags"), "tags shows"),
    "append": (last_written("note"), "note shows"),
    "append, one less": (ForgetsAFragment, "note shows"),
    "append, turned round": (TurnsFragmentsRound, "note shows"),
    "greatest": (last_written("last"), "last shows"),
    "greatest, without corrections": (CorrectsNothing, "last shows"),
    "least": (last_written("first"), "first shows"),
    "frozen": (last_written("serial"), "serial shows"),
    "rows come back": (RowsComeBack, "it is there, and must be gone"),
    "rows stay gone": (RowsStayGone, "it is gone, and must be there"),
}


@pytest.mark.parametrize("name", TWINS)
def test_a_broken_twin_is_found(name: str) -> None:
    twin, words = TWINS[name]
    assert any(words in fault for seed in range(GAMES) for fault in verdict(seed, twin))


def test_what_is_not_on_record_is_found() -> None:
    faults = set[str]()
    for seed in range(100):
        game = Game(seed).play()
        faults |= {
            fault.partition("is not on")[2] for fault in judge(game.table, game.writes, replace(game.end(), records=()))
        }
    assert " record" in faults


def test_sites_that_differ_are_found() -> None:
    end = End({"a": {"1": {"name": "x"}}, "b": {}})
    assert judge(Table({"name": Rule("latest")}), [], end) == ["row 1: a shows {'name': 'x'}, b shows None"]


# -- the rules, told by hand -------------------------------------------------------------------------------------------


def told(
    rule: str, *values: tuple[str, str, str, str], delete: str = "stamp", shows: str | None, records: str = ""
) -> list[str]:
    """A row that starts with "0" at a; then (site, what it saw, before, after); shown in the end."""
    writes = [Write("0", "a", "insert", "k", frozenset(), {}, {"c": values[0][2] if values else "0"})]
    for number, (site, seen, before, after) in enumerate(values, start=1):
        op = "update" if after else "delete"
        writes.append(Write(str(number), site, op, "k", frozenset("0" + seen), {"c": before}, {"c": after}))  # type: ignore[arg-type]
    row: Mapping[str, Values] = {} if shown_is_gone(shows) else {"k": {"c": shows}}
    found = [Record("k", "c" if record else "", record or None) for record in records.split(",")]
    return judge(Table({"c": Rule(rule, "a")}, delete), writes, End({"a": row}, found))


def shown_is_gone(shows: str | None) -> bool:
    return shows == "gone"


@pytest.mark.parametrize(
    ("rule", "values", "allowed", "refused"),
    [
        ("latest", [("a", "", "0", "1"), ("b", "", "0", "2")], ["1", "2"], ["0", "3"]),
        ("latest", [("a", "", "0", "1"), ("b", "1", "1", "2")], ["2"], ["1", "0"]),
        ("site", [("a", "", "0", "1"), ("b", "", "0", "2")], ["1"], ["2"]),
        ("site", [("a", "", "0", "1"), ("b", "1", "1", "2")], ["2"], ["1"]),
        ("site", [("a", "", "0", "1"), ("b", "1", "1", "2"), ("c", "", "0", "3")], ["2"], ["3", "1"]),
        ("counter", [("a", "", "0", "5"), ("b", "", "0", "-2")], ["3"], ["5", "-2", "0"]),
        ("set", [("a", "", "{x}", "{x,y}"), ("b", "", "{x}", "{}")], ["{y}"], ["{x,y}", "{}"]),
        ("set", [("a", "", "{x}", "{}"), ("b", "1", "{}", "{x}"), ("c", "", "{x}", "{}")], ["{x}"], ["{}"]),
        ("append", [("a", "", "o", "oA"), ("b", "", "o", "oB")], ["oAB", "oBA"], ["oA", "ABo", "oABA"]),
        ("append", [("a", "", "o", "oA"), ("b", "", "o", "B")], ["AB", "BA"], ["oAB", "B"]),
        ("greatest", [("a", "", "5", "7"), ("b", "", "5", "6")], ["7"], ["6", "5"]),
        ("greatest", [("a", "", "5", "3"), ("b", "", "5", "9")], ["3"], ["9", "5"]),
        ("least", [("a", "", "5", "3"), ("b", "", "5", "4")], ["3"], ["4", "5"]),
        ("frozen", [("a", "", "5", "5")], ["5"], ["6"]),
    ],
)  # fmt: skip
def test_what_a_rule_allows(
    rule: str, values: list[tuple[str, str, str, str]], allowed: list[str], refused: list[str]
) -> None:
    every = ",".join(value for _, _, _, value in values)
    for value in allowed:
        assert told(rule, *values, shows=value, records=every) == []
    for value in refused:
        assert told(rule, *values, shows=value, records=every), value


@pytest.mark.parametrize(
    ("delete", "values", "allowed", "refused"),
    [
        ("wins", [("a", "", "0", ""), ("b", "", "0", "2")], ["gone"], ["2"]),
        ("loses", [("a", "", "0", ""), ("b", "", "0", "2")], ["2"], ["gone", "0"]),
        ("stamp", [("a", "", "0", ""), ("b", "", "0", "2")], ["gone", "2"], ["0"]),
        ("stamp", [("b", "", "0", "2"), ("a", "1", "2", "")], ["gone"], ["2", "0"]),
        ("loses", [("b", "", "0", "2"), ("a", "1", "2", "")], ["gone"], ["2", "0"]),
        ("stamp", [("a", "", "0", ""), ("b", "", "0", "2"), ("a", "12", "2", "3")], ["3"], ["gone", "2"]),
    ],
)  # fmt: skip
def test_what_a_delete_rule_allows(
    delete: str, values: list[tuple[str, str, str, str]], allowed: list[str], refused: list[str]
) -> None:
    for value in allowed:
        assert told("latest", *values, delete=delete, shows=value, records=",2") == []
    for value in refused:
        assert told("latest", *values, delete=delete, shows=value, records=",2"), value


def test_an_overwritten_value_must_be_on_record() -> None:
    values = [("a", "", "0", "1"), ("b", "", "0", "2")]
    assert told("latest", *values, shows="2", records="1") == []
    assert told("latest", *values, shows="2", records="0") == [
        "row k: c: a's '1' was overwritten unseen, and is not on record"
    ]


def test_a_delete_that_is_overruled_must_be_on_record() -> None:
    values = [("a", "", "0", ""), ("b", "", "0", "2")]
    assert told("latest", *values, delete="loses", shows="2", records="0") == [
        "row k: a delete was overruled, and that is not on record"
    ]

"""Somebody's older edit that the author of a newer one had not seen is not overwritten silently, although what that
author saw last is the newest that is here: a third person edited another column meanwhile."""

import pytest

from replication.apply.applier import Applier
from replication.apply.merging import Merger
from replication.apply.tables import Tables
from replication.core.changes import Author
from replication.core.stamps import moment
from replication.postgres.catalog import describe
from replication.postgres.parameters import register
from replication.postgres.rows import FastRows
from replication.wire.message import Section
from sitecfg import ColumnRule, Rules, TableRules
from tests.postgres.servers import Pair, as_applied

BASE, FIRST, OTHER, LAST = moment(1, 2), moment(10, 2), moment(20, 3), moment(30, 4)
FOUND = "SELECT column_name, winner, loser FROM kuroshio.conflict WHERE nspname = %s"


class Alpha:
    """What arrives there, as the writer applies it."""

    def __init__(self, pair: Pair, rule: str) -> None:
        self.pair, self.name = pair, (pair.schema, "t")
        pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, v text, w text)")
        register(pair.alpha)
        pair.enlist("t", {"columns": {"v": {"rule": rule}}})
        table = describe(pair.alpha, *self.name)
        tables = Tables(pair.alpha, Rules({str(table): TableRules(columns={"v": ColumnRule(rule)})}))
        merger = Merger(pair.alpha, 1, list(pair.config.sites), tables, lambda *_: pytest.fail("it waits"))
        self.applier = Applier(pair.alpha, tables, merger, FastRows(), 10**18)
        self.hears("I", BASE, 0, v=None, w="w")

    def hears(self, op: str, at: int, seen: int, **cells: str | None) -> None:
        values = [[b"1"], *([None if text is None else text.encode()] for text in cells.values())]
        section = Section(self.name, op, ("id", *cells), 1, values, [at], [seen], {}, {})  # type: ignore[arg-type]
        with as_applied(self.pair.alpha), self.pair.alpha.transaction():
            self.applier.apply([section], Author("beta", at & 1023, 0, 9, {}), careful=False)

    def shows(self) -> object:
        return self.pair.run(self.pair.alpha, "SELECT v FROM t")[0][0]

    def recorded(self) -> list[tuple[object, ...]]:
        return self.pair.run(self.pair.alpha, FOUND, (self.pair.schema,))


@pytest.mark.parametrize(("rule", "value", "pair_of"), [("latest", "2", (LAST, FIRST)), ("frozen", "1", (FIRST, LAST))])
def test_an_edit_that_was_not_seen_is_merged_and_on_record(
    pair: Pair, rule: str, value: str, pair_of: tuple[int, int]
) -> None:
    alpha = Alpha(pair, rule)
    alpha.hears("U", FIRST, BASE, v="1")
    alpha.hears("U", OTHER, BASE, w="other")
    alpha.hears("U", LAST, OTHER, v="2")
    assert alpha.shows() == value
    assert alpha.recorded() == [("v", *pair_of)]


@pytest.mark.parametrize("last", [moment(30, 2), LAST])
def test_what_its_author_surely_saw_goes_set_wise_and_is_no_conflict(pair: Pair, last: int) -> None:
    """Their own, or the newest of all."""
    alpha = Alpha(pair, "latest")
    alpha.hears("U", FIRST, BASE, v="1")
    if last != LAST:
        alpha.hears("U", OTHER, FIRST, w="other")
    alpha.hears("U", last, FIRST if last == LAST else OTHER, v="2")
    assert (alpha.shows(), alpha.recorded()) == ("2", [])

"""What a site wrote itself is found in its rows, whatever was merged with it since."""

from collections.abc import Mapping

import pytest

from replication.clock import now_us
from replication.core.changes import Author, Key
from replication.core.claims import PLAIN
from replication.core.merge import Row, merge
from replication.core.rules import Write
from replication.definitions import row_rules
from replication.postgres import rewriting, states
from replication.postgres.catalog import Table
from replication.postgres.parameters import register
from replication.snapshot.keeping import own_changes
from sitecfg import ColumnRule, Rules, TableRules
from tests.postgres.servers import Pair, as_applied

KEY: Key = (b"1",)
WRITES: Mapping[str, tuple[str, str, str, bytes]] = {
    "counter": ("int", "10", "v + 5", b"12"),
    "set": ("text[]", "{}", "'{mine}'", b"{theirs}"),
    "append": ("text", "", "v || 'mine '", b"theirs "),
}
"""Type, value of the insert, what this site writes, and what the other shows after writing without having seen it."""
WAYS = {
    "taken away": ("set", "{both}", "'{}'", b"{both,theirs}"),
    "replaced": ("append", "both", "NULL", b"both theirs"),
}


@pytest.mark.parametrize(
    ("rule", "first", "mine", "theirs"),
    [*((rule, *rest) for rule, (_, *rest) in WRITES.items()), *WAYS.values()],
    ids=[*WRITES, *WAYS],
)
def test_a_part_of_its_own_under_another_s_newer_one(
    pair: Pair, rule: str, first: str, mine: str, theirs: bytes
) -> None:
    """The cell bears the other's stamp by then."""
    table, rules = a_table(pair, rule)
    register(pair.alpha)
    began = now_us()
    with as_applied(pair.alpha):
        pair.run(pair.alpha, "INSERT INTO t VALUES (1, %s, NULL, ARRAY[%s, 0])", (first, began - 1000 << 10 | 2))
    cells = row_rules(table, rules)
    before = read(pair, table, rules).row
    pair.run(pair.alpha, f"UPDATE t SET v = {mine}")
    moment = now_us() + 1000 << 10 | 2
    other = Row(before.life, before.base, cells={"v": cells.write("v", before.cells["v"], Write(theirs, moment))})
    local = read(pair, table, rules)
    with as_applied(pair.alpha):
        row = merge(local.row, other, cells)
        states.show(pair.alpha, table, KEY, local, row, PLAIN, cells)
    assert row.cells["v"].stamp.moment == moment
    assert list(rewriting.written(pair.alpha, table, 1, began)) == [[KEY]]
    author = Author("alpha", 1, 0, 0, {})
    [change] = own_changes(table.qualified, KEY, read(pair, table, rules).row, cells, author, began)
    assert merge(merge(before, other, cells), change.row(cells), cells).cells == row.cells


def test_what_others_alone_wrote_is_not_taken_for_its_own(pair: Pair) -> None:
    table, _ = a_table(pair, "counter")
    began = now_us()
    with as_applied(pair.alpha):
        parts = '{"v": {"2": [1, "5"]}}'
        pair.run(pair.alpha, "INSERT INTO t VALUES (1, 5, %s, ARRAY[%s, 0])", (parts, began + 1 << 10 | 2))
    assert not list(rewriting.written(pair.alpha, table, 1, began))


def a_table(pair: Pair, rule: str) -> tuple[Table, Rules]:
    pair.everywhere(f"CREATE TABLE t (id int PRIMARY KEY, v {WRITES[rule][0]}, kuroshio_parts jsonb)")
    table = pair.enlist("t", {"columns": {"v": {"rule": rule, "site": None}}})
    return table, Rules({str(table): TableRules(columns={"v": ColumnRule(rule)})})


def read(pair: Pair, table: Table, rules: Rules) -> states.Local:
    return states.read(pair.alpha, table, [KEY], row_rules(table, rules), lock=False)[KEY]

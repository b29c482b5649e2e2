"""A local write shows what its peers show (pitfall P6): what the trigger leaves in a row, and what the same writes make
of it at another site, under every rule, from every value to every other, NULL among them, and from there to a third."""

from itertools import product

import psycopg
import pytest

from replication.apply.applier import Applier
from replication.apply.merging import Merger
from replication.apply.sections import changes_of
from replication.apply.tables import Tables
from replication.capture.gather import Gatherer
from replication.capture.shapes import shape_of
from replication.core.changes import Author
from replication.core.rules import CELL_RULES, HAS_PARTS
from replication.core.stamps import EPOCH, TERM
from replication.postgres.catalog import Table
from replication.postgres.parameters import register
from replication.postgres.rows import FastRows
from replication.wire.message import Section
from replication.wire.pglogical import Begin, Commit, Insert, Relation, Update
from sitecfg import ColumnRule, Rules, TableRules
from tests.postgres.servers import Pair, as_applied

Typed = str | None
NUMBERS: tuple[Typed, ...] = (None, "0", "5", "-3")
TYPES: dict[str, tuple[str, tuple[Typed, ...]]] = {
    "append": ("text", (None, "", "a", "ab")),
    "counter": ("numeric(12,2)", NUMBERS),
    "frozen": ("int", NUMBERS),
    "greatest": ("numeric(12,2)", NUMBERS),
    "latest": ("text", (None, "", "a")),
    "least": ("date", (None, "2017-03-01", "0044-03-15 BC", "infinity")),
    "owner": ("int", NUMBERS),
    "set": ("text[]", (None, "{}", "{b,a}", "{a,NULL}")),
    "site": ("int", NUMBERS),
}
COLUMNS = ("id", "owner", "v", "kuroshio", "kuroshio_parts")
AUTHOR = Author("alpha", 1, 0, 9, {})


class Peer:
    """Beta: takes what alpha's capture makes of a row that was written there."""

    def __init__(self, pair: Pair, table: Table, rule: str) -> None:
        self._pair = pair
        site = "alpha" if rule == "site" else None
        declared = Rules({str(table): TableRules(owner="owner", columns={"v": ColumnRule(rule, site)})})
        self._tables = Tables(pair.beta, declared)
        merger = Merger(pair.beta, 2, list(pair.config.sites), self._tables, lambda *_: pytest.fail("it waits"))
        self._applier = Applier(pair.beta, self._tables, merger, FastRows(), 10**18)
        self._relation = Relation(1, *table.qualified, COLUMNS, (0,))
        carried = {"v": (EPOCH, TERM)} if rule in ("site", "owner", "greatest", "least") else {}
        parted = {"v": (rule in HAS_PARTS,)}
        shape = shape_of(self._relation, ("id",), COLUMNS[:3], carried, parted)
        self._gatherer = Gatherer(lambda _: shape, lambda *_: None, 1000)

    def hears(self, *, inserted: bool, set_wise: bool) -> None:
        """Of what was written last."""
        rows = self._pair.run(self._pair.alpha, f"SELECT {', '.join(f'{name}::text' for name in COLUMNS)} FROM t")
        self._gatherer.feed(Begin(92, 0, 7))
        for row in rows:
            values = tuple(None if value is None else str(value).encode() for value in row)
            self._gatherer.feed(Insert(self._relation, values) if inserted else Update(self._relation, None, values))
        self._gatherer.feed(Commit(92, 100, 5))
        [batch] = self._gatherer.take()
        with self._pair.beta.transaction():
            self._apply(batch.sections(), set_wise=set_wise)

    def _apply(self, sections: list[Section], *, set_wise: bool) -> None:
        if set_wise:
            self._applier.apply(sections, AUTHOR, careful=False)
            return
        for section in sections:
            for change in changes_of(section, AUTHOR, range(len(section.moments))):
                assert self._applier.merge_or_park(change)


def show(pair: Pair, site: str) -> list[tuple[object, ...]]:
    """What a site shows of its rows, and keeps beside them: all but what its last writer had seen."""
    query = "SELECT id, v::text, kuroshio[1:1] || kuroshio[3:], kuroshio_parts FROM t ORDER BY id"
    return pair.run(pair.sessions[site], query)


@pytest.mark.parametrize("set_wise", [True, False], ids=["set-wise", "merged"])
@pytest.mark.parametrize("rule", sorted(TYPES))
def test_what_is_typed_shows_as_its_peers_show_it(pair: Pair, rule: str, set_wise: bool) -> None:
    assert TYPES.keys() == CELL_RULES.keys()
    type_, values = TYPES[rule]
    pair.everywhere(f"CREATE TABLE t (id int PRIMARY KEY, owner text, v {type_}, kuroshio_parts jsonb)")
    table = pair.enlist("t", {"owner": "owner", "columns": {"v": {"rule": rule, "site": "alpha"}}})
    register(pair.beta)
    histories = list(product(values, repeat=3))
    for key, (first, *_) in enumerate(histories):
        pair.run(pair.alpha, "INSERT INTO t VALUES (%s, 'alpha', %s)", (key, first))
    with as_applied(pair.beta):
        peer = Peer(pair, table, rule)
        for _ in range(2):
            peer.hears(inserted=True, set_wise=set_wise)
            assert show(pair, "alpha") == show(pair, "beta"), "however often it arrives"
        for step in (1, 2):
            write(pair, {key: history[step] for key, history in enumerate(histories)})
            peer.hears(inserted=False, set_wise=set_wise)
            assert show(pair, "alpha") == show(pair, "beta"), f"after {step} writes"


def write(pair: Pair, values: dict[int, Typed]) -> None:
    """Write each row; one that is frozen stays as it is. Later than what was written before, by the clock."""
    for key, value in values.items():
        try:
            pair.run(pair.alpha, "UPDATE t SET v = %s WHERE id = %s", (value, key))
        except psycopg.errors.ObjectNotInPrerequisiteState:
            pair.run(pair.alpha, "UPDATE t SET owner = owner WHERE id = %s", (key,))

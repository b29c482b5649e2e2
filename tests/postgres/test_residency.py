"""What a site has beyond the rules in force is taken away: shown rows, hidden ones, and the values of columns."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from psycopg.types.json import Jsonb

from replication.apply.merging import Merger
from replication.apply.tables import Tables
from replication.postgres import residency
from replication.postgres.catalog import Table
from replication.postgres.parameters import register
from sitecfg import ColumnRule, Rules, TableRules
from sitecfg.rules import Mask, Share
from tests.postgres.servers import Pair, as_applied

ALPHA = Share(("alpha",))
BY_OWNER = Share(column="owner", by_value={"alpha": ("alpha",)})
MASKED = {"secret": ColumnRule(share=ALPHA, mask=Mask())}


@pytest.fixture
def table(pair: Pair) -> Iterator[Table]:
    """Beta has two rows, and two hidden ones, that alpha wrote."""
    pair.everywhere("CREATE TABLE t (id text PRIMARY KEY, owner text, secret text)")
    found = pair.enlist("t")
    register(pair.beta)
    with ExitStack() as stack:
        stack.enter_context(as_applied(pair.beta))
        for key, owner in (("1", "alpha"), ("2", "beta")):
            pair.run(pair.beta, "INSERT INTO t VALUES (%s, %s, 'secret', '{5121,0}')", (key, owner))
            pair.run(
                pair.beta,
                "INSERT INTO kuroshio.tombstone (nspname, relname, key, deleted, saw, stamps, cells, hidden)"
                " VALUES (%s, 't', %s, 0, '{0,0}', '{5121,0}', %s, 'unique')",
                (pair.schema, [f"hidden {key}"], Jsonb({"owner": owner, "secret": "secret"})),
            )
        yield found


def obey(pair: Pair, table: Table, rules: TableRules) -> None:
    """As beta's apply does when it starts."""
    tables = Tables(pair.beta, Rules({str(table): rules}), ["alpha", "beta"], "beta")
    residence = tables.residence(table)
    assert residence is not None
    merger = Merger(pair.beta, 2, ["alpha", "beta"], tables, lambda *_: pytest.fail("it waits"))
    with pair.beta.transaction():
        for keys in residency.beyond(pair.beta, table, residence.here).values():
            merger.leave(table, keys)
    assert residency.beyond(pair.beta, table, residence.here) == {}


def left(pair: Pair) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """What beta shows, and what it hides: owners and secrets."""
    shown = pair.run(pair.beta, "SELECT owner, secret FROM t ORDER BY id")
    hidden = "SELECT cells->>'owner', cells->>'secret' FROM kuroshio.tombstone WHERE nspname = %s AND hidden <> ''"
    return shown, sorted(pair.run(pair.beta, hidden, (pair.schema,)))


def test_rows_of_others_go(pair: Pair, table: Table) -> None:
    obey(pair, table, TableRules(share=BY_OWNER))
    assert left(pair) == ([("beta", "secret")], [("beta", "secret")])


def test_a_table_of_others_goes(pair: Pair, table: Table) -> None:
    obey(pair, table, TableRules(share=ALPHA))
    assert left(pair) == ([], [])


def test_the_values_of_a_column_of_others_go(pair: Pair, table: Table) -> None:
    obey(pair, table, replace(TableRules(), columns=MASKED))
    rows = [("alpha", None), ("beta", None)]
    assert left(pair) == (rows, rows)

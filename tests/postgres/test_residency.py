"""What a site has beyond the rules in force is taken away: shown rows, hidden ones, and the values of columns."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from psycopg.types.json import Jsonb

from replication.apply.merging import Merger
from replication.apply.tables import Tables
from replication.audience import view_for
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
            pair.run(
                pair.beta,
                "INSERT INTO kuroshio.tombstone (nspname, relname, key, deleted, saw, stamps, cells)"
                " VALUES (%s, 't', %s, 9216, '{5121,0}', '{5121,0}', %s)",
                (pair.schema, [f"deleted {key}"], Jsonb({"owner": owner, "secret": "secret"})),
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


@pytest.mark.parametrize(
    ("rules", "images"),
    [
        (TableRules(share=BY_OWNER), [{"owner": "alpha"}, {"owner": "beta", "secret": "secret"}]),
        (TableRules(share=ALPHA), [{}, {}]),
        (TableRules(columns=MASKED), [{"owner": "alpha", "secret": None}, {"owner": "beta", "secret": None}]),
    ],
)
def test_of_deleted_rows_no_more_is_kept_than_of_others(
    pair: Pair, table: Table, rules: TableRules, images: list[dict[str, str | None]]
) -> None:
    obey(pair, table, rules)
    query = "SELECT cells FROM kuroshio.tombstone WHERE nspname = %s AND hidden = '' AND deleted > 0 ORDER BY key"
    assert [image for (image,) in pair.run(pair.beta, query, (pair.schema,))] == images


@pytest.mark.parametrize(
    ("rules", "values"),
    [
        (TableRules(share=BY_OWNER), {"1 a": None, "2 a": "a", "gone a": None, "1 secret": None, "2 secret": "a"}),
        (TableRules(share=ALPHA), dict.fromkeys(("1 a", "2 a", "gone a", "1 secret", "2 secret"))),
        (TableRules(columns=MASKED), {"1 a": "a", "2 a": "a", "gone a": "a", "1 secret": None, "2 secret": None}),
    ],
)
def test_what_is_on_record_of_rows_and_columns_of_others_loses_its_values(
    pair: Pair, table: Table, rules: TableRules, values: dict[str, str | None]
) -> None:
    """What beta wrote itself stays."""
    for name in values:
        key, column = name.split()
        pair.run(
            pair.beta,
            "INSERT INTO kuroshio.conflict VALUES (%s, 't', %s, %s, 9217, 9218, '', '', '', 'a', 'b')",
            (pair.schema, [key], column),
        )
    view = view_for(Rules({str(table): rules}), "beta").of(table.qualified)
    residency.blank_records(pair.beta, table, view)
    found = pair.run(
        pair.beta,
        "SELECT key[1] || ' ' || column_name, winner_value, loser_value FROM kuroshio.conflict WHERE nspname = %s",
        (pair.schema,),
    )
    assert {str(name): won for name, won, _ in found} == values
    assert {lost for _, _, lost in found} == {"b"}


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        (TableRules(share=BY_OWNER), {"2 owner", "2 secret"}),
        (TableRules(share=ALPHA), set()),
        (TableRules(columns=MASKED), {"1 owner", "2 owner", "gone owner"}),
    ],
)
def test_what_operators_asked_about_rows_and_columns_of_others_loses_its_values(
    pair: Pair, table: Table, rules: TableRules, kept: set[str]
) -> None:
    ask_about(pair, *(f"{key} {column}" for key in ("1", "2", "gone") for column in ("owner", "secret")))
    residency.blank_records(pair.beta, table, view_for(Rules({str(table): rules}), "beta").of(table.qualified))
    assert asked_with_values(pair) == kept


def test_a_row_that_leaves_takes_its_values_out_of_what_operators_asked(pair: Pair, table: Table) -> None:
    ask_about(pair, "1 owner", "2 owner")
    obey(pair, table, TableRules(share=BY_OWNER))
    assert asked_with_values(pair) == {"2 owner"}


def ask_about(pair: Pair, *names: str) -> None:
    """Operators of beta edited these columns of these rows."""
    for name in names:
        key, column = name.split()
        pair.run(
            pair.beta,
            "INSERT INTO kuroshio.request (id, asked_by, action, why, nspname, relname, key, cells, change)"
            " VALUES (gen_random_uuid(), 'lin', 'edit', %s, %s, 't', %s, %s, %s)",
            (name, pair.schema, [key], Jsonb({column: "typed"}), Jsonb({"cells": {column: "theirs"}})),
        )


def asked_with_values(pair: Pair) -> set[str]:
    query = "SELECT why FROM kuroshio.request WHERE nspname = %s AND (cells IS NOT NULL OR change IS NOT NULL)"
    return {str(name) for (name,) in pair.run(pair.beta, query, (pair.schema,))}


def test_the_values_of_a_column_of_others_go(pair: Pair, table: Table) -> None:
    obey(pair, table, replace(TableRules(), columns=MASKED))
    rows = [("alpha", None), ("beta", None)]
    assert left(pair) == (rows, rows)

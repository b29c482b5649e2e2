"""verify finds every kind of difference, names it, and takes no change on its way for one."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from psycopg.types.json import Jsonb

from replication.postgres.catalog import describe
from replication.postgres.parameters import register
from replication.repair.repairing import Repair
from replication.verify import suspects
from replication.verify.comparison import compare
from replication.verify.digests import Bucket, Digests
from replication.verify.report import Difference, Report
from replication.verify.suspects import differing, read_buckets
from sitecfg import load
from tests.postgres.servers import Pair, as_applied

KEPT = ("replicated_table", "tombstone", "parked")
DDL = """CREATE TABLE t (a int, "b 鍵" text, amount numeric, document text, PRIMARY KEY (a, "b 鍵"))"""


def verify(pair: Pair, fence: Callable[[], list[str]] = list) -> Report:
    """As if all links had caught up: the planted differences are not on their way."""
    return compare(pair.sessions, fence)


@pytest.fixture
def equal(pair: Pair) -> Iterator[Pair]:
    """A table of 400 equal rows, which is the only one that is replicated."""
    pair.everywhere(DDL)
    pair.everywhere(
        "INSERT INTO t SELECT i, chr(19968 + i), i * 1.10, repeat(md5(i::text), 300) FROM generate_series(1, 400) i"
    )
    pair.everywhere("ALTER TABLE t ALTER document SET STORAGE EXTERNAL")
    pair.enlist("t")
    report = verify(pair)
    assert report.equal is True
    assert report.tables[f"{pair.schema}.t"].rows == {"alpha": 400, "beta": 400}
    yield pair
    for statement in (f"DROP SCHEMA {pair.schema} CASCADE", *(f"DELETE FROM kuroshio.{name}" for name in KEPT)):
        pair.everywhere(statement)


def plant(pair: Pair, statement: str) -> Report:
    """Change one site only, as neither a user nor apply would, and compare."""
    with as_applied(pair.beta):
        pair.run(pair.beta, statement)
    report = verify(pair)
    assert report.equal is False
    return report


def only(report: Report) -> Difference:
    [difference] = report.differences
    return difference


def test_a_value_that_differs_is_named(equal: Pair) -> None:
    found = only(plant(equal, "UPDATE t SET amount = amount + 0.01 WHERE a = 77"))
    assert (found.kind, found.columns) == ("data", ["amount"])
    assert found.key == {"a": "77", "b 鍵": chr(19968 + 77)}


def test_a_value_that_is_equal_and_spelled_otherwise_is_named(equal: Pair) -> None:
    assert only(plant(equal, "UPDATE t SET amount = 1.100 WHERE a = 1")).columns == ["amount"]


def test_null_is_not_the_empty_text(equal: Pair) -> None:
    with as_applied(equal.alpha):
        equal.run(equal.alpha, "UPDATE t SET document = '' WHERE a = 5")
    assert only(plant(equal, "UPDATE t SET document = NULL WHERE a = 5")).columns == ["document"]


def test_a_toasted_cell_that_differs_is_named(equal: Pair) -> None:
    found = only(plant(equal, "UPDATE t SET document = overlay(document placing '?' from 9000) WHERE a = 200"))
    assert (found.kind, found.columns) == ("data", ["document"])


def test_a_stamp_that_differs_is_named(equal: Pair) -> None:
    found = only(plant(equal, "UPDATE t SET kuroshio = '{2,1}' WHERE a = 3"))
    assert (found.kind, found.columns) == ("stamps", ["kuroshio"])
    assert "its stamps differ" in str(found)


def test_what_a_writer_had_seen_is_no_difference(equal: Pair) -> None:
    with as_applied(equal.beta):
        equal.run(equal.beta, "UPDATE t SET kuroshio[2] = 12345")
    assert verify(equal).equal is True


@pytest.mark.parametrize("key", ["(SELECT min(a) FROM t)", "(SELECT max(a) FROM t)", "123"])
def test_a_missing_row_is_named_also_at_either_end(equal: Pair, key: str) -> None:
    found = only(plant(equal, f"DELETE FROM t WHERE a = {key}"))
    assert (found.kind, found.at, found.missing_at) == ("missing", ["alpha"], ["beta"])


@pytest.mark.parametrize("key", [-(2**31), 0, 2**31 - 1])
def test_an_extra_row_is_named_also_beyond_either_end(equal: Pair, key: int) -> None:
    found = only(plant(equal, f"INSERT INTO t VALUES ({key}, '', NULL, NULL, '{{1,1}}')"))
    assert (found.kind, found.at, found.missing_at) == ("missing", ["beta"], ["alpha"])
    assert found.key == {"a": str(key), "b 鍵": ""}


def test_two_values_that_are_swapped_do_not_cancel_out(equal: Pair) -> None:
    report = plant(equal, "UPDATE t SET amount = CASE a WHEN 1 THEN 2.20 ELSE 1.10 END WHERE a IN (1, 2)")
    assert [found.key["a"] for found in report.differences] == ["1", "2"]


def test_the_same_change_in_many_rows_does_not_cancel_out(equal: Pair) -> None:
    report = plant(equal, "UPDATE t SET amount = 0")
    [result] = report.tables.values()
    assert result.differing == 400
    assert len(report.differences) == 100
    assert report.unnamed == 300


def test_a_comparison_by_counts_alone_would_miss_it(equal: Pair) -> None:
    """The twin that the tests above must catch."""
    plant(equal, "UPDATE t SET amount = 0")
    buckets = read_buckets(equal.sessions, Digests(describe(equal.alpha, equal.schema, "t")))
    counts = {site: {name: Bucket(rows, "") for name, (rows, _) in found.items()} for site, found in buckets.items()}
    assert differing(buckets) == sorted(buckets["alpha"])
    assert differing(counts) == []


def test_a_table_that_is_replicated_at_one_site_only_is_named(equal: Pair) -> None:
    equal.everywhere("CREATE TABLE u (id int PRIMARY KEY)")
    equal.run(
        equal.alpha,
        "INSERT INTO kuroshio.replicated_table (nspname, relname, key_columns) VALUES (%s, 'u', '{id}')",
        (equal.schema,),
    )
    found = only(verify(equal))
    assert (found.kind, list(found.at), list(found.missing_at)) == ("table", ["alpha"], ["beta"])


def test_a_table_whose_columns_differ_is_named(equal: Pair) -> None:
    equal.run(equal.beta, "ALTER TABLE t ADD COLUMN c int")
    assert only(verify(equal)).kind == "table"


def test_a_row_that_lives_beside_its_own_tombstone_is_named(equal: Pair) -> None:
    """Pitfall P3."""
    equal.run(
        equal.beta,
        "INSERT INTO kuroshio.tombstone (nspname, relname, key, deleted, saw, stamps)"
        " VALUES (%s, 't', %s, 9, '{1,0}', '{1,0}')",
        (equal.schema, ["7", chr(19968 + 7)]),
    )
    found = only(verify(equal))
    assert (found.kind, found.at, found.key["a"]) == ("tombstone", ["beta"], "7")


def test_tombstones_of_rows_that_are_gone_need_not_be_equal(equal: Pair) -> None:
    with as_applied(equal.beta):
        equal.run(equal.beta, "DELETE FROM t WHERE a = 9")
    equal.run(equal.alpha, "DELETE FROM t WHERE a = 9")
    assert verify(equal).equal is True


def test_a_parked_change_is_named(equal: Pair) -> None:
    equal.run(
        equal.beta,
        "INSERT INTO kuroshio.parked (nspname, relname, key, moment, op, origin, lsn, change, reason, detail)"
        " VALUES (%s, 't', '{1,x}', 1, 'U', 'alpha', '0/1', %s, 'insert', '')",
        (equal.schema, Jsonb({})),
    )
    report = verify(equal)
    assert report.equal is False
    assert [(change.site, change.reason) for change in report.parked] == [("beta", "insert")]


def test_a_change_on_its_way_is_no_difference(equal: Pair) -> None:
    """It arrives while the fence is waited for."""
    statement = "UPDATE t SET amount = 1, kuroshio = '{5,1}' WHERE a < 10"
    with as_applied(equal.alpha):
        equal.run(equal.alpha, statement)
    looks = 0

    def fence() -> list[str]:
        nonlocal looks
        looks += 1
        if looks == 2:
            with as_applied(equal.beta):
                equal.run(equal.beta, statement)
        return []

    assert verify(equal, fence).equal is True
    assert looks == 2


def test_more_changes_on_their_way_than_are_held_are_all_looked_at_again(
    equal: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them never arrives, and it is none of those that are held."""
    monkeypatch.setattr(suspects, "MOST_HELD", 10)
    statement = "UPDATE t SET amount = 1, kuroshio = '{5,1}'"
    with as_applied(equal.alpha):
        equal.run(equal.alpha, statement)
    rows = Digests(describe(equal.alpha, equal.schema, "t")).rows(equal.alpha, [f"{n:03x}" for n in range(4096)])
    last = list(rows)[-1].key[0]
    looks = 0

    def fence() -> list[str]:
        nonlocal looks
        looks += 1
        if looks == 2:
            with as_applied(equal.beta):
                equal.run(equal.beta, f"{statement} WHERE a <> {last}")
        return []

    assert [found.key["a"] for found in verify(equal, fence).differences] == [last]


def test_a_row_that_keeps_changing_is_neither_equal_nor_different(equal: Pair) -> None:
    looks = 0

    def fence() -> list[str]:
        nonlocal looks
        looks += 1
        with as_applied(equal.alpha):
            equal.run(equal.alpha, "UPDATE t SET amount = %s WHERE a = 1", (looks + 5,))
        return []

    report = verify(equal, fence)
    assert report.equal is None
    assert report.undecided


def test_a_row_that_follows_from_others_and_is_not_looked_after_yet_is_no_difference(equal: Pair) -> None:
    with as_applied(equal.beta):
        equal.run(equal.beta, "DELETE FROM t WHERE a = 7")

    def looked_after() -> list[str]:
        with as_applied(equal.alpha):
            equal.run(equal.alpha, "DELETE FROM t WHERE a = 7")
        return []

    report = compare(equal.sessions, list, looked_after=looked_after)
    assert report.equal is True
    assert report.tables[f"{equal.schema}.t"].rows == {"alpha": 399, "beta": 399}


def test_what_nobody_looks_after_is_a_difference_and_it_is_said_that_nobody_did(equal: Pair) -> None:
    with as_applied(equal.beta):
        equal.run(equal.beta, "DELETE FROM t WHERE a = 7")
    report = compare(equal.sessions, list, looked_after=lambda: ["alpha does not look"])
    assert (only(report).kind, report.undecided) == ("missing", ["alpha does not look"])


def test_links_that_are_behind_leave_it_open(equal: Pair) -> None:
    report = verify(equal, lambda: ["behind"])
    assert report.equal is None
    assert report.undecided == ["behind"]


SHARED = """
[table."{schema}.t"]
share = {{ column = "document", map = {{ alpha = ["alpha"] }} }}
[table."{schema}.t".column]
amount = {{ share = ["alpha"], mask = "nothing" }}
"""


def entitled(pair: Pair) -> Report:
    """As `verify`, under rules by which beta has no row whose document is "alpha", and no amount."""
    folder = pair.config.directory.with_name(f"{pair.config.directory.name}-{pair.schema}")
    shutil.copytree(pair.config.directory, folder, dirs_exist_ok=True)
    (folder / "rules" / "rules.toml").write_text(SHARED.format(schema=pair.schema))
    return compare(pair.sessions, list, load(folder).rules)


def mask_amounts(pair: Pair) -> None:
    """Beta holds what it is entitled to."""
    with as_applied(pair.beta):
        pair.run(
            pair.beta,
            "UPDATE t SET amount = 0, kuroshio = kuroshio.put(kuroshio, kuroshio.mask_key('amount'), 1)",
        )
        pair.run(pair.beta, "DELETE FROM t WHERE document = 'alpha'")


def test_a_site_is_held_to_what_it_is_entitled_to(equal: Pair) -> None:
    for session in (equal.alpha, equal.beta):
        with as_applied(session):
            equal.run(session, "UPDATE t SET document = 'alpha' WHERE a < 10")
    mask_amounts(equal)
    report = entitled(equal)
    assert report.equal is True, [str(found) for found in report.differences]
    with as_applied(equal.beta):
        equal.run(equal.beta, "DELETE FROM t WHERE a = 20")
        equal.run(equal.beta, "UPDATE t SET document = 'another' WHERE a = 30")
    found = {found.key["a"]: found.kind for found in entitled(equal).differences}
    assert found == {"20": "missing", "30": "data"}


def test_what_a_site_has_beyond_that_is_named(equal: Pair) -> None:
    mask_amounts(equal)
    with as_applied(equal.alpha):
        equal.run(equal.alpha, "UPDATE t SET document = 'alpha' WHERE a = 10")
    with as_applied(equal.beta):
        equal.run(equal.beta, "UPDATE t SET document = 'alpha' WHERE a = 10")
        equal.run(equal.beta, "UPDATE t SET amount = 7, kuroshio = ARRAY[kuroshio[1], kuroshio[2]] WHERE a = 11")
    found = {(found.key["a"], *found.columns, *found.at): found.kind for found in entitled(equal).differences}
    assert found == {("10", "beta"): "exposed", ("11", "amount", "beta"): "exposed"}


def hide(pair: Pair, site: str, key: int, amount: str, document: str, *, masked: bool = False) -> None:
    """A row that a site has and does not show (replication/core/claims.py), written by neither."""
    session = pair.sessions[site]
    [(mark,)] = pair.run(session, "SELECT kuroshio.mask_key('amount')")
    pair.run(
        session,
        "INSERT INTO kuroshio.tombstone (nspname, relname, key, deleted, saw, stamps, cells, hidden)"
        " VALUES (%s, 't', %s, 0, '{0,0}', %s, %s, 'unique')",
        (
            pair.schema,
            [str(key), "x"],
            [1024 + 5, 0, *([mark, 1] if masked else [])],
            Jsonb({"amount": amount, "document": document}),
        ),
    )


def test_hidden_rows_are_compared_by_what_each_site_is_entitled_to(equal: Pair) -> None:
    mask_amounts(equal)
    hide(equal, "alpha", 1001, "1.00", "for both")
    hide(equal, "beta", 1001, "0", "for both", masked=True)
    hide(equal, "alpha", 1002, "1.00", "alpha")
    report = entitled(equal)
    assert report.equal is True, [str(found) for found in report.differences]
    hide(equal, "alpha", 1003, "1.00", "one")
    hide(equal, "beta", 1003, "0", "another", masked=True)
    found = [(found.key["a"], found.kind) for found in entitled(equal).differences]
    assert found == [("1003", "hidden")]


def test_a_hidden_row_that_differs_is_counted_and_a_repair_does_not_take_it_for_alike(equal: Pair) -> None:
    hide(equal, "alpha", 1001, "1.00", "one")
    hide(equal, "beta", 1001, "1.00", "another")
    for connection in equal.sessions.values():
        register(connection)
    report, repair = verify(equal), Repair(equal.config, equal.sessions)
    assert (report.tables[f"{equal.schema}.t"].differing, report.unnamed) == (1, 0)
    plan, left = repair.plan(report, "now", "somebody")
    assert left == []
    equal.run(equal.beta, """UPDATE kuroshio.tombstone SET cells = cells || '{"document": "changed since"}'""")
    applied = repair.apply(plan, "", "somebody", 1)
    assert ([row.key["a"] for row in applied.stale], applied.alike) == (["1001"], [])


def test_a_hidden_row_that_a_site_has_beyond_its_share_is_named(equal: Pair) -> None:
    mask_amounts(equal)
    for site in equal.sessions:
        hide(equal, site, 1001, "1.00", "alpha")
    hide(equal, "alpha", 1002, "1.00", "for both")
    hide(equal, "beta", 1002, "1.00", "for both")
    found = {(found.key["a"], *found.columns, *found.at): found.kind for found in entitled(equal).differences}
    assert found == {("1001", "beta"): "exposed", ("1002", "amount", "beta"): "exposed"}

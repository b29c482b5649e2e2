"""Sites change their schema on different days (scenario 14, pitfall P14): what a site has no column for waits, the rest
goes on, and what waits is applied once the column is there."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import psycopg
import pytest

from replication.apply.applier import Applier
from replication.apply.merging import Merger
from replication.apply.tables import Tables
from replication.core.changes import Author
from replication.core.stamps import Stamps, cell_id, moment
from replication.definitions import require_same, rules_for
from replication.enlisting import Enlisting
from replication.errors import UsageError
from replication.postgres import applying
from replication.postgres.catalog import describe
from replication.postgres.enlist import enlist
from replication.postgres.indexes import constraints
from replication.postgres.parameters import register
from replication.postgres.rows import FastRows
from replication.verify.comparison import compare
from replication.wire.message import PARTS_OF, Section
from sitecfg import ColumnRule, Rules, TableRules, load
from tests.postgres.servers import Pair, as_applied

AUTHOR = Author("beta", 2, 0, 9, {})
BASE, FIRST, SECOND = moment(1_000, 2), moment(2_000, 2), moment(3_000, 2)


class Receiver:
    """Alpha's side of a table: what arrives is applied as the writer does."""

    def __init__(self, pair: Pair, columns: str, rules: TableRules, *, careful: bool) -> None:
        self.pair, self.careful = pair, careful
        self.name = (pair.schema, "t")
        pair.run(pair.alpha, f"CREATE TABLE t (id int PRIMARY KEY, {columns})")
        table = describe(pair.alpha, *self.name)
        known = {name: rule for name, rule in rules.columns.items() if name in table.types}
        declared = TableRules(columns=known, renamed=rules.renamed)
        enlist(pair.alpha, table, 1, rules_for(table, constraints(pair.alpha, table), declared), 0, send=False)
        self.tables = Tables(pair.alpha, Rules({str(table): rules}))
        park = lambda change, reason, detail: applying.park(pair.alpha, change, reason, detail)  # noqa: E731
        merger = Merger(pair.alpha, 1, list(pair.config.sites), self.tables, park)
        self.applier = Applier(pair.alpha, self.tables, merger, FastRows(), 10**18)

    def apply(self, op: str, at: int, seen: int, cells: dict[str, str], parts: dict[str, str] | None = None) -> None:
        values: list[list[bytes | None]] = [[b"1"]]
        values += [[value.encode()] for value in cells.values()]
        blobs: dict[str, list[bytes | None]] = {PARTS_OF + n: [part.encode()] for n, part in (parts or {}).items()}
        section = Section(self.name, op, ("id", *cells), 1, values, [at], [seen], {}, blobs)  # type: ignore[arg-type]
        if op == "D":
            section.blobs["saw"] = [b"{%d,0}" % seen]
            section.extra["commit"] = [5]
        with self.pair.alpha.transaction():
            self.applier.apply([section], AUTHOR, careful=self.careful)

    def retry(self) -> None:
        self.tables.forget()
        self.applier.fast.forget()
        with self.pair.alpha.transaction():
            for change, tries in applying.parked(self.pair.alpha, {"beta": 2}, 100):
                self.applier.merge_or_park(change)
                applying.unpark(self.pair.alpha, change, tries)

    def alter(self, what: str) -> None:
        """As an administrator does, whose session is not apply's."""
        name = "kuroshio_test"
        self.pair.alpha.execute("SELECT pg_replication_origin_session_reset()")
        self.pair.run(self.pair.alpha, f"ALTER TABLE t {what}")
        self.pair.alpha.execute("SELECT pg_replication_origin_session_setup(%s)", (name,))

    def row(self, columns: str = "a, c") -> Sequence[object]:
        return next(iter(self.pair.run(self.pair.alpha, f"SELECT {columns} FROM t")), ())

    def parked(self) -> list[tuple[object, ...]]:
        query = "SELECT op::text, reason, detail FROM kuroshio.parked WHERE nspname = %s ORDER BY moment"
        return self.pair.run(self.pair.alpha, query, (self.pair.schema,))


@pytest.fixture(params=[False, True], ids=["set-wise", "careful"])
def careful(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def receiver(pair: Pair, careful: bool) -> Iterator[Receiver]:
    register(pair.alpha)
    rules = TableRules(columns={"n": ColumnRule("counter")})
    with ExitStack() as stack:
        stack.enter_context(as_applied(pair.alpha))
        made = Receiver(pair, "a text", rules, careful=careful)
        yield made
        pair.alpha.execute("DELETE FROM kuroshio.parked")


WAITS = ("schema", "this site's table has no column c yet")


def test_an_insert_shows_at_once_and_its_unknown_cell_when_the_column_is_there(receiver: Receiver) -> None:
    receiver.apply("I", BASE, 0, {"a": "x", "c": "written"})
    assert receiver.row("a") == ("x",)
    assert receiver.parked() == [("I", *WAITS)]
    receiver.retry()
    assert receiver.parked() == [("I", *WAITS)], "the column is not there yet"
    receiver.alter("ADD COLUMN c text DEFAULT 'zzz'")
    assert receiver.row() == ("x", "zzz"), "greater, byte by byte, and nobody wrote it"
    receiver.retry()
    assert receiver.row() == ("x", "written")
    assert receiver.parked() == []


def test_known_cells_of_an_update_are_applied_at_once(receiver: Receiver) -> None:
    receiver.apply("I", BASE, 0, {"a": "x"})
    receiver.apply("U", FIRST, BASE, {"a": "y", "c": "one"})
    receiver.apply("U", SECOND, FIRST, {"c": "two"})
    assert receiver.row("a") == ("y",)
    assert receiver.parked() == [("U", *WAITS), ("U", *WAITS)]
    receiver.alter("ADD COLUMN c text")
    receiver.retry()
    assert receiver.row() == ("y", "two")
    assert receiver.parked() == []


def test_parts_of_one_change_that_wait_for_different_things_wait_together(receiver: Receiver) -> None:
    """Its row is not here, nor its column: neither of its cells is lost."""
    receiver.apply("U", FIRST, BASE, {"a": "y", "c": "one"})
    assert len(receiver.parked()) == 1
    receiver.alter("ADD COLUMN c text")
    receiver.retry()
    assert [row[1] for row in receiver.parked()] == ["insert"]
    receiver.apply("I", BASE, 0, {"a": "x", "c": "zero"})
    receiver.retry()
    assert receiver.row() == ("y", "one")
    assert receiver.parked() == []


def test_an_insert_that_comes_before_the_column_lets_its_update_in(receiver: Receiver) -> None:
    receiver.apply("U", FIRST, BASE, {"a": "y", "c": "one"})
    receiver.apply("I", BASE, 0, {"a": "x", "c": "zero"})
    receiver.retry()
    assert receiver.row("a") == ("y",)
    receiver.alter("ADD COLUMN c text")
    receiver.retry()
    assert receiver.row() == ("y", "one")
    assert receiver.parked() == []


def test_a_counter_that_was_not_there_yet_counts(receiver: Receiver) -> None:
    receiver.apply("I", BASE, 0, {"a": "x", "n": "10"})
    receiver.apply("U", FIRST, BASE, {"n": "15"}, {"n": f'[{BASE}, {{"2": [1, "5"]}}]'})
    receiver.alter("ADD COLUMN n int NOT NULL DEFAULT 7, ADD COLUMN kuroshio_parts jsonb")
    receiver.retry()
    assert receiver.row("n") == (15,)
    assert receiver.parked() == []


def test_what_waits_for_a_column_does_not_raise_a_deleted_row(receiver: Receiver) -> None:
    receiver.apply("I", BASE, 0, {"a": "x", "c": "written"})
    receiver.apply("D", FIRST, BASE, {})
    receiver.alter("ADD COLUMN c text")
    receiver.retry()
    assert receiver.row() == ()
    assert receiver.parked() == []


def test_what_was_dropped_here_is_let_go_and_the_rest_goes_on(receiver: Receiver) -> None:
    receiver.apply("I", BASE, 0, {"a": "x", "c": "written"})
    receiver.alter("ADD COLUMN c text")
    receiver.retry()
    receiver.alter("DROP COLUMN c")
    receiver.applier.tables.forget()
    receiver.apply("U", FIRST, BASE, {"a": "y", "c": "one"})
    receiver.apply("U", SECOND, FIRST, {"c": "two"})
    assert receiver.row("a") == ("y",)
    assert receiver.parked() == [], "nobody here wants it"


def test_the_name_of_a_dropped_column_cannot_be_used_again(receiver: Receiver) -> None:
    receiver.alter("ADD COLUMN c text")
    receiver.alter("DROP COLUMN c")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="its values let go: the name cannot be used again"):
        receiver.alter("ADD COLUMN c int")
    receiver.pair.alpha.execute("SELECT pg_replication_origin_session_setup('kuroshio_test')")


def test_a_value_that_the_narrower_type_refuses_waits_until_it_is_widened(receiver: Receiver) -> None:
    receiver.alter("ADD COLUMN c smallint")
    receiver.apply("I", BASE, 0, {"a": "x", "c": "1"})
    receiver.careful = True  # as the writer goes on after the database has refused a batch
    receiver.apply("U", FIRST, BASE, {"a": "y", "c": "70000"})
    assert receiver.row() == ("x", 1)
    assert [row[:3] for row in receiver.parked()] == [("U", "refused", "22003: NumericValueOutOfRange")]
    receiver.alter("ALTER COLUMN c TYPE int")
    receiver.retry()
    assert receiver.row() == ("y", 70000)
    assert receiver.parked() == []


def test_a_type_that_changes_is_seen_by_who_has_written_before(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, c smallint)")
    pair.enlist("t")
    pair.run(pair.alpha, "INSERT INTO t VALUES (1, 1)")
    pair.run(pair.alpha, "UPDATE t SET c = 2")
    pair.run(pair.alpha, "ALTER TABLE t ALTER COLUMN c TYPE bigint")
    pair.run(pair.alpha, "UPDATE t SET c = 70000")
    pair.run(pair.alpha, "DELETE FROM t")


def test_sites_that_dropped_a_column_on_different_days_are_equal(pair: Pair) -> None:
    """Its stamps stay in the rows of the site that dropped it later, and say nothing any more."""
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, a text, c text)")
    pair.enlist("t")
    for session, stamps in ((pair.alpha, [BASE, 0]), (pair.beta, [BASE, 0, 1, 1])):
        stamps[2:] = [] if session is pair.alpha else [cell_of(pair, "c"), FIRST]
        with as_applied(session):
            pair.run(session, "INSERT INTO t VALUES (1, 'x', 'c', %s)", (stamps,))
    pair.everywhere("ALTER TABLE t DROP COLUMN c")
    report = compare(pair.sessions, list)
    assert [found for found in report.differences if found.table == f"{pair.schema}.t"] == []
    with as_applied(pair.beta):
        pair.run(pair.beta, "UPDATE t SET kuroshio = kuroshio || %s::bigint[]", ([cell_of(pair, "a"), SECOND],))
    report = compare(pair.sessions, list)
    assert [found.kind for found in report.differences if found.table == f"{pair.schema}.t"] == ["stamps"]


def cell_of(pair: Pair, column: str) -> int:
    [(key,)] = pair.run(pair.alpha, "SELECT kuroshio.cell_key(%s, 0)", (column,))
    return int(str(key))


# -- renames -----------------------------------------------------------------------------------------------------------

RENAMED: dict[str, object] = {
    "owner": "site",
    "columns": {
        "n": {"rule": "counter"},
        "one": {"rule": "owner", "group": ["one", "two"]},
        "two": {"rule": "owner", "group": ["one", "two"]},
    },
    "renamed": {"a": "b", "b": "c", "n": "m", "one": "first", "site": "home"},
}
RENAME = ("a TO b", "b TO c", "n TO m", "one TO first", "site TO home")


def renamed(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, a text, n int, one int, two int, site text)")
    pair.enlist("t", RENAMED)
    pair.run(pair.alpha, "INSERT INTO t VALUES (1, 'x', 1, 1, 2, 'alpha')")
    for rename in RENAME:
        pair.run(pair.alpha, f"ALTER TABLE t RENAME COLUMN {rename}")


def stamps(pair: Pair) -> Stamps:
    [(packed,)] = pair.run(pair.alpha, "SELECT kuroshio FROM t")
    return Stamps.unpack(packed)  # type: ignore[arg-type]


def test_a_column_that_was_declared_to_be_renamed_keeps_its_cells(pair: Pair) -> None:
    renamed(pair)
    pair.run(pair.alpha, "UPDATE t SET c = 'y'")
    assert stamps(pair).newest == stamps(pair).of(cell_id("a")).moment > stamps(pair).base
    pair.run(pair.alpha, "UPDATE t SET m = 5")
    assert pair.run(pair.alpha, "SELECT kuroshio_parts FROM t") == [({"n": {"1": [1, "4"]}},)]
    pair.run(pair.alpha, "UPDATE t SET two = 3")
    found = stamps(pair)
    assert found.of(cell_id("one")) == found.of(cell_id("two")), "a group is written whole"
    assert found.of(cell_id("one")).epoch == 2, "by the owner, whose column has another name, too"
    pair.run(pair.alpha, "UPDATE t SET home = 'beta'")
    pair.run(pair.alpha, "UPDATE t SET first = 3")
    assert stamps(pair).of(cell_id("one")).term == stamps(pair).of(cell_id("site")).moment
    pair.run(pair.alpha, "DELETE FROM t")
    [(cells,)] = pair.run(pair.alpha, "SELECT cells FROM kuroshio.tombstone WHERE nspname = %s", (pair.schema,))
    assert cells == {"a": "y", "n": "5", "one": "3", "two": "3", "site": "beta"}
    assert pair.run(pair.alpha, "SELECT dropped FROM kuroshio.replicated_table WHERE nspname = %s", (pair.schema,)) == [
        ([],)
    ]


def test_a_table_with_renamed_columns_is_described_by_their_first_names(pair: Pair) -> None:
    renamed(pair)
    here, there = (describe(session, pair.schema, "t") for session in pair.sessions.values())
    require_same({"alpha": here, "beta": there})
    assert here.renamed == {"a": "c", "n": "m", "one": "first", "site": "home"}
    assert there.renamed == {}


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("ALTER TABLE t RENAME COLUMN c TO z", "cannot be renamed"),
        ("ALTER TABLE t RENAME COLUMN two TO one", "cannot be renamed"),
        ("ALTER TABLE t ADD COLUMN a text", "declared to be renamed, and there are two of it"),
    ],
)
def test_another_rename_is_refused(pair: Pair, statement: str, words: str) -> None:
    renamed(pair)
    with pytest.raises(psycopg.errors.FeatureNotSupported, match=words) as refused:
        pair.run(pair.alpha, statement)
    assert refused.value.diag.message_hint


def test_what_travels_under_the_first_name_is_applied_under_the_new_one(pair: Pair, careful: bool) -> None:
    register(pair.alpha)
    with as_applied(pair.alpha):
        receiver = Receiver(pair, "a text, other int", TableRules(renamed={"a": "b"}), careful=careful)
        receiver.apply("I", BASE, 0, {"a": "x", "other": "1"})
        receiver.alter("RENAME COLUMN a TO b")
        receiver.tables.forget()
        receiver.applier.fast.forget()
        receiver.apply("U", FIRST, BASE, {"a": "y"})
        assert receiver.row("b") == ("y",)
        receiver.apply("U", SECOND, 7, {"a": "merged"})
        assert receiver.row("b") == ("merged",)
        receiver.apply("D", SECOND + 1024, SECOND, {})
        receiver.apply("U", SECOND + 2048, SECOND, {"a": "back"})
        assert receiver.row("b, other") == ("back", 1)
        assert receiver.parked() == []


def test_what_a_key_reads_keeps_its_name(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, a text CONSTRAINT known UNIQUE)")
    table = describe(pair.alpha, pair.schema, "t")
    found = constraints(pair.alpha, table)
    with pytest.raises(UsageError, match="a cannot be renamed while known reads it"):
        rules_for(table, found, TableRules(renamed={"a": "b"}))
    with pytest.raises(UsageError, match="of its primary key"):
        rules_for(table, found, TableRules(renamed={"id": "number"}))


def test_rules_may_change_while_the_sites_differ(fresh: Callable[..., Pair]) -> None:
    """What is under replication is not compared again; a rule may name a column that only some sites have yet."""
    pair = fresh(rules="")
    pair.everywhere("CREATE TABLE public.t (id int PRIMARY KEY, a text)")
    add(pair, "")
    pair.run(pair.alpha, "ALTER TABLE public.t ADD COLUMN c int")
    changed = 'a = { rule = "append", generation = 2, was = "latest" }\n'
    with pytest.raises(UsageError, match=r"column\.c: it was latest and is counter"):
        add(pair, f'{changed}c = "counter"')
    changed += 'c = { rule = "counter", generation = 2, was = "latest" }\n'
    add(pair, changed)
    pair.run(pair.beta, "ALTER TABLE public.t ADD COLUMN c int")
    for session in pair.sessions.values():
        pair.run(session, "INSERT INTO public.t (id, a, c) VALUES (1, 'x', 1)")
        pair.run(session, "UPDATE public.t SET a = 'xy', c = 3")
        [(parts,)] = pair.run(session, "SELECT kuroshio_parts FROM public.t")
        assert set(parts) == {"a", "c"}, "its triggers have the rules"  # type: ignore[call-overload]
    with pytest.raises(UsageError, match="z, which it lacks"):
        add(pair, f'{changed}z = "frozen"')


def add(pair: Pair, columns: str) -> None:
    file = pair.config.directory / "rules" / "rules.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f'[table."public.t"]\n[table."public.t".column]\n{columns}')
    list(Enlisting(load(pair.config.directory), pair.sessions, list(pair.sessions)).add(["public.t"]))

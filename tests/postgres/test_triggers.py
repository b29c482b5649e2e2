"""Local writes are stamped as replication/core/stamps.py says, whatever the column and the statement."""

import psycopg
import pytest

from replication.capture.fence import FencedError
from replication.capture.opening import check_triggers
from replication.core.stamps import EPOCH, LIFE, MOMENT, TERM, Stamps, cell_id, cell_key, moment
from replication.postgres.connect import connect
from tests.postgres.servers import Pair, as_applied
from tests.postgres.stamped import is_fresh, number_under, simple, stamps_of, tombstones

A, B = 1, 2


def test_an_insert_carries_one_stamp(pair: Pair) -> None:
    simple(pair)
    packed = stamps_of(pair, pair.alpha, "id = 1")
    assert len(packed) == 2
    assert packed[1] == 0
    assert packed[0] & 1023 == A


def test_an_update_stamps_the_columns_that_differ_and_no_other(pair: Pair) -> None:
    simple(pair)
    before = stamps_of(pair, pair.alpha, "id = 1")
    pair.run(pair.alpha, "UPDATE t SET a = 'new', b = b")
    after = stamps_of(pair, pair.alpha, "id = 1")
    assert after[1] == before[0], "the write saw the insert"
    assert after[2:3] == [cell_key("a")]
    assert after[3] > before[0]
    assert len(after) == 4


def test_a_column_set_to_its_own_value_is_no_edit(pair: Pair) -> None:
    simple(pair)
    pair.run(pair.alpha, "UPDATE t SET a = a, b = 'b'")
    packed = stamps_of(pair, pair.alpha, "id = 1")
    assert len(packed) == 2
    assert not is_fresh(packed)


def test_an_edit_beats_what_its_author_saw_whatever_the_clock_says(pair: Pair) -> None:
    simple(pair)
    future = moment(8 * 10**15, B)
    with as_applied(pair.alpha):
        pair.run(pair.alpha, "UPDATE t SET kuroshio = %s", ([1, 0, cell_key("b"), future],))
    pair.run(pair.alpha, "UPDATE t SET a = 'later'")
    packed = stamps_of(pair, pair.alpha, "id = 1")
    assert number_under(packed, cell_key("a")) == moment(8 * 10**15 + 1, A)
    assert packed[1] == future


def test_what_is_applied_is_not_stamped(pair: Pair) -> None:
    simple(pair)
    with as_applied(pair.alpha):
        pair.run(pair.alpha, "INSERT INTO t VALUES (2, 'a', 'b', '{7,7}')")
        pair.run(pair.alpha, "UPDATE t SET a = 'x' WHERE id = 2")
        pair.run(pair.alpha, "DELETE FROM t WHERE id = 1")
    assert stamps_of(pair, pair.alpha, "id = 2") == [7, 7]
    assert tombstones(pair) == []


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE t SET id = 2", "the primary key"),
        ("TRUNCATE t", "TRUNCATE is refused"),
        ("ALTER TABLE t ADD COLUMN c uuid DEFAULT gen_random_uuid()", "volatile default"),
        ("ALTER TABLE t RENAME COLUMN a TO c", "cannot be renamed"),
    ],
)
def test_what_other_sites_could_not_follow_is_refused(pair: Pair, statement: str, words: str) -> None:
    """Pitfalls P14 and P15."""
    simple(pair)
    with pytest.raises(psycopg.errors.FeatureNotSupported, match=words) as refused:
        pair.run(pair.alpha, statement)
    assert refused.value.diag.message_hint


def test_an_added_column_is_stamped_from_the_same_transaction_on(pair: Pair) -> None:
    simple(pair)
    with pair.alpha.transaction():
        pair.run(pair.alpha, "ALTER TABLE t ADD COLUMN c int DEFAULT 0")
        pair.run(pair.alpha, "UPDATE t SET c = 1")
    assert number_under(stamps_of(pair, pair.alpha, "id = 1"), cell_key("c"))


def test_a_dropped_column_leaves_the_others_stamped(pair: Pair) -> None:
    simple(pair)
    pair.run(pair.alpha, "ALTER TABLE t DROP COLUMN a")
    pair.run(pair.alpha, "UPDATE t SET b = 'x'")
    pair.run(pair.alpha, "INSERT INTO t VALUES (2, 'y')")
    assert number_under(stamps_of(pair, pair.alpha, "id = 1"), cell_key("b"))
    pair.run(pair.alpha, "DELETE FROM t WHERE id = 2")
    assert [row[5] for row in tombstones(pair)] == [{"b": "y"}]


def test_ddl_that_is_rolled_back_leaves_the_triggers_as_they_were(pair: Pair) -> None:
    simple(pair)
    with pair.alpha.transaction(force_rollback=True):
        pair.run(pair.alpha, "ALTER TABLE t ADD COLUMN c int")
    pair.run(pair.alpha, "UPDATE t SET a = 'x'")
    assert number_under(stamps_of(pair, pair.alpha, "id = 1"), cell_key("a"))


TYPES = {
    "mood": ("mood", "'sad'", "'froh 快樂'"),
    "numbers": ("int[]", "'{1,2}'", "'{2,1}'"),
    "period": ("tstzrange", "'[2020-01-01,2021-01-01)'", "'[2020-01-01,)'"),
    "document": ("jsonb", """'{"a": 1, "b": [null]}'""", """'{"a": 1.0, "b": []}'"""),
    "text_document": ("json", """'{"a":1}'""", """'{"a": 1}'"""),
    "raw": ("bytea", "'\\x00'", "'\\x'"),
    "scale": ("numeric", "1.0", "1.00"),
    "float": ("float8", "0.0", "'-0'"),
    "point": ("point", "'(1,1)'", "'(1.0000001,1)'"),
    "composite": ("pair_of", "ROW(1,'x')", "ROW(1,NULL)"),
    "Ünïcode 名": ("text", "''", "NULL"),
    'qu"ote': ("varchar(10)", "'a'", "'a '"),
    "net": ("inet", "'10.0.0.1'", "'10.0.0.1/8'"),
    "flag": ("bool", "true", "NULL"),
    "padded": ("char(4)", "'a'", "'ab'"),
    "bits": ("bit varying", "B'1'", "B'10'"),
    "span": ("interval", "'1 month'", "'30 days'"),
}


def typed_ddl() -> str:
    columns = ", ".join(f"{quoted(name)} {type_} DEFAULT {value}" for name, (type_, value, _) in TYPES.items())
    generated = "twice int GENERATED ALWAYS AS (a * 2) STORED"
    return f'CREATE TABLE "Täble ""T""" (a int, "B 鍵" text, {columns}, {generated}, PRIMARY KEY ("B 鍵", a))'


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@pytest.fixture
def typed(pair: Pair) -> Pair:
    pair.everywhere("CREATE TYPE mood AS ENUM ('sad', 'froh 快樂')")
    pair.everywhere("CREATE TYPE pair_of AS (x int, y text)")
    pair.everywhere(typed_ddl())
    pair.enlist('Täble "T"')
    pair.run(pair.alpha, 'INSERT INTO "Täble ""T""" (a, "B 鍵") VALUES (1, \'鑰匙\')')
    return pair


@pytest.mark.parametrize("name", TYPES)
def test_an_edit_is_seen_in_a_column_of_any_type(typed: Pair, name: str) -> None:
    table, (_, old, new) = quoted('Täble "T"'), TYPES[name]
    typed.run(typed.alpha, f"UPDATE {table} SET {quoted(name)} = {old}")
    assert len(stamps_of(typed, typed.alpha, "a = 1", table)) == 2, "its own value is no edit"
    typed.run(typed.alpha, f"UPDATE {table} SET {quoted(name)} = {new}")
    assert stamps_of(typed, typed.alpha, "a = 1", table)[2::2] == [cell_key(name)]


def test_generated_columns_are_not_stamped_and_keys_of_several_columns_delete(typed: Pair) -> None:
    typed.run(typed.alpha, 'DELETE FROM "Täble ""T"""')
    [(key, *_, cells, _)] = tombstones(typed, 'Täble "T"')
    assert key == ["鑰匙", "1"]
    assert set(cells) == set(TYPES)  # type: ignore[call-overload]


def test_columns_of_a_group_are_stamped_together(pair: Pair) -> None:
    """Pitfall P11."""
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, amount int, currency text, other int)")
    group = {"rule": "latest", "group": ["amount", "currency"]}
    pair.enlist("t", {"columns": {"amount": group, "currency": group}})
    pair.run(pair.alpha, "INSERT INTO t VALUES (1, 1, 'TWD', 1)")
    pair.run(pair.alpha, "UPDATE t SET amount = 2")
    packed = stamps_of(pair, pair.alpha, "id = 1")
    assert number_under(packed, cell_key("amount")) == number_under(packed, cell_key("currency")) > packed[1]
    assert len(packed) == 6


def test_a_site_with_authority_raises_the_epoch_and_others_keep_it(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, credit int)")
    pair.enlist("t", {"columns": {"credit": {"rule": "site", "site": "alpha"}}})
    epoch = cell_key("credit", EPOCH)
    pair.everywhere("INSERT INTO t VALUES (1, 0)")
    assert number_under(stamps_of(pair, pair.alpha, "id = 1"), epoch) == 1
    assert number_under(stamps_of(pair, pair.beta, "id = 1"), epoch) == 0
    pair.everywhere("UPDATE t SET credit = 1")
    assert number_under(stamps_of(pair, pair.alpha, "id = 1"), epoch) == 2
    with as_applied(pair.beta):
        pair.run(pair.beta, "UPDATE t SET kuroshio = %s", (stamps_of(pair, pair.alpha, "id = 1"),))
    pair.run(pair.beta, "UPDATE t SET credit = 2")
    assert number_under(stamps_of(pair, pair.beta, "id = 1"), epoch) == 2, "the epoch that it saw"
    assert number_under(stamps_of(pair, pair.beta, "id = 1"), cell_key("credit")) & 1023 == B


def test_a_rule_by_owner_may_be_owner_for_one_of_them_alone(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, keeper text, status text)")
    column = {"rule": "latest", "owned_by": {"alpha": {"rule": "owner"}}}
    pair.enlist("t", {"owner": "keeper", "columns": {"status": column}})
    pair.run(pair.alpha, "INSERT INTO t VALUES (1, 'beta', 'new')")
    for owner, authority in (("alpha", 1), ("beta", 1), ("alpha", 2)):
        pair.run(pair.alpha, "UPDATE t SET keeper = %s", (owner,))
        pair.run(pair.alpha, "UPDATE t SET status = status || '.'")
        assert Stamps.unpack(stamps_of(pair, pair.alpha, "id = 1")).of(cell_id("status")).epoch == authority


def test_the_owner_raises_the_epoch_and_a_new_owner_begins_a_new_term(pair: Pair) -> None:
    """Pitfall P4: the term is the stamp of the owner cell that the writer saw."""
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, keeper text, status text)")
    pair.enlist("t", {"owner": "keeper", "columns": {"status": {"rule": "owner"}}})
    pair.run(pair.alpha, "INSERT INTO t VALUES (1, 'alpha', 'new')")
    pair.run(pair.alpha, "UPDATE t SET status = 'open'")
    status = cell_id("status")
    first = Stamps.unpack(stamps_of(pair, pair.alpha, "id = 1")).of(status)
    assert (first.term, first.epoch) == (0, 2)
    pair.run(pair.alpha, "UPDATE t SET keeper = 'beta'")
    handed_over = stamps_of(pair, pair.alpha, "id = 1")
    with as_applied(pair.beta):
        pair.run(pair.beta, "INSERT INTO t VALUES (1, 'beta', 'open', %s)", (handed_over,))
    pair.run(pair.beta, "UPDATE t SET status = 'won'")
    pair.run(pair.alpha, "UPDATE t SET status = 'late'")
    new_owner = Stamps.unpack(stamps_of(pair, pair.beta, "id = 1")).of(status)
    ex_owner = Stamps.unpack(stamps_of(pair, pair.alpha, "id = 1")).of(status)
    assert new_owner.term == number_under(handed_over, cell_key("keeper", MOMENT))
    assert new_owner.epoch == first.epoch + 1
    assert ex_owner.epoch == first.epoch
    assert new_owner > ex_owner
    assert number_under(handed_over, cell_key("status", TERM)) == 0


def test_the_applications_own_role_may_write(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, a text)")
    pair.enlist("t")
    pair.run(pair.alpha, f"GRANT USAGE ON SCHEMA {pair.schema} TO app")
    pair.run(pair.alpha, "GRANT ALL ON t TO app")
    with connect(pair.config.sites["alpha"].dsn(), name="as app") as session:
        session.execute("SET ROLE app")
        pair.run(session, "INSERT INTO t VALUES (1, 'x')")
        pair.run(session, "UPDATE t SET a = 'y'")
        pair.run(session, "DELETE FROM t")
        pair.run(session, "INSERT INTO t VALUES (1, 'z')")
    assert number_under(stamps_of(pair, pair.alpha, "id = 1"), LIFE) == 2


def test_a_rows_version_changes_when_the_row_does(pair: Pair) -> None:
    simple(pair)
    query = f"SELECT kuroshio.row_version('{pair.schema}.t', '{{1}}')"
    before = pair.run(pair.alpha, query)
    pair.run(pair.alpha, "UPDATE t SET a = a")
    assert pair.run(pair.alpha, query) == before
    pair.run(pair.alpha, "UPDATE t SET a = 'x'")
    assert pair.run(pair.alpha, query) != before
    assert pair.run(pair.alpha, query.replace("{1}", "{9}")) == [(None,)]


def test_a_writers_search_path_does_not_reach_into_the_insert_trigger(pair: Pair) -> None:
    """It runs with its owner's rights, and pins no path."""
    simple(pair)
    pair.run(pair.alpha, "CREATE SCHEMA IF NOT EXISTS hostile")
    for name, takes in (("date_part", "text, timestamptz"), ("transaction_timestamp", ""), ("plus", "bigint, bigint")):
        body = "BEGIN RAISE EXCEPTION 'reached'; END"
        returns = "timestamptz" if name == "transaction_timestamp" else "bigint"
        pair.run(
            pair.alpha, f"CREATE FUNCTION hostile.{name}({takes}) RETURNS {returns} LANGUAGE plpgsql AS $$ {body} $$"
        )
    operator = "FUNCTION = hostile.plus, LEFTARG = bigint, RIGHTARG = bigint"
    for sign in ("+", "<<"):
        pair.run(pair.alpha, f"CREATE OPERATOR hostile.{sign} ({operator})")
    pair.run(pair.alpha, "CREATE DOMAIN hostile.text AS bigint")
    with connect(pair.config.sites["alpha"].dsn(), name="user") as user:
        user.execute("SET search_path = hostile, pg_catalog")
        user.execute(f"INSERT INTO {pair.schema}.t VALUES (2, 'a', 'b')".encode())


@pytest.mark.parametrize(
    "fault",
    [
        'ALTER TABLE {} DISABLE TRIGGER "~~kuroshio_update"',
        'ALTER TABLE {} ENABLE TRIGGER "~~kuroshio_delete"',
        'DROP TRIGGER "~~kuroshio_insert" ON {}',
        'CREATE OR REPLACE TRIGGER "~~kuroshio_insert" BEFORE INSERT ON {} EXECUTE FUNCTION kuroshio.refuse_write()',
    ],
)
def test_capture_does_not_run_beside_a_table_that_nobody_stamps(pair: Pair, fault: str) -> None:
    """What is written there would stay at home, and nobody would know (pitfalls P14, P20)."""
    simple(pair)
    check_triggers(pair.alpha)
    with pair.alpha.transaction(force_rollback=True):
        pair.alpha.execute(fault.format(f"{pair.schema}.t").encode())
        with pytest.raises(FencedError, match=f"{pair.schema}.t"):
            check_triggers(pair.alpha)

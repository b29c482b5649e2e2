"""Each role of a site's database can do its work, and not the others' (replication/postgres/roles.sql)."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from replication.core.changes import Author, Change
from replication.initialising import initialise_site
from replication.postgres import applying, burials, capturing, tombstones, verifications
from replication.postgres.connect import Connection, connect
from replication.postgres.install import REPLICATION_SET
from replication.postgres.parameters import register
from replication.postgres.slot import SlotStream
from replication.postgres.verifications import Cycle, Outcome
from replication.repair.serving import Resending
from replication.requests import Action, ask, ask_comparison
from replication.status import waiting
from replication.verify.between import enlisted, shape_of
from replication.verify.serving import Tables
from sitecfg import Config
from sitecfg.site import Role
from tests.postgres.servers import Pair

TABLE = "public.held"
PRIVATE = "public.unheld"


@pytest.fixture(scope="module")
def pair(shared: Config) -> Iterator[Pair]:
    """A table under replication, and one beside it."""
    with ExitStack() as stack:
        pair = Pair(shared, stack)
        pair.schema = "public"
        pair.everywhere(f"CREATE TABLE {TABLE} (id int PRIMARY KEY, note text)")
        pair.everywhere(f"CREATE TABLE {PRIVATE} (id int)")
        pair.enlist("held")
        pair.run(pair.alpha, f"INSERT INTO {TABLE} VALUES (1, 'x')")
        yield pair


@contextmanager
def working_as(pair: Pair, role: Role) -> Iterator[Connection]:
    with connect(pair.config.sites["alpha"].dsn(role), name=f"as {role}") as session:
        yield session


# -- their work --------------------------------------------------------------------------------------------------------


def test_capture_reads_the_slot_and_keeps_its_record(pair: Pair) -> None:
    with working_as(pair, "capture") as session:
        own = capturing.identity(session)
        capturing.sample(session)
        capturing.record(session, own.live_lsn, own.packed_lsn, 0, 0, "running")
        capturing.record_start(session, "v1", ["beta"])
        capturing.record_views(session, [""])
        capturing.record_passage(session, own.number, (1, 2), (1024, 2048), {}, 0)
        capturing.pass_on(session)
        tombstones.claim(session)
        burials.bury(session)
        with session.transaction(force_rollback=True):
            capturing.begin_incarnation(session, own, "beef", 7)
        capturing.slot_confirmed(session)
        # The site's own slot is that of the first database of the cluster, which tests share.
        session.execute("SELECT pg_create_logical_replication_slot('of_roles', 'pglogical_output')")
        dsn = pair.config.sites["alpha"].dsn("capture")
        SlotStream(dsn, "of_roles", 0, [REPLICATION_SET]).close()


def test_apply_writes_replicated_rows_under_the_origin_that_is_not_captured(pair: Pair) -> None:
    with working_as(pair, "apply") as session:
        applying.become_writer(session)
        applying.know_sites(session, {"alpha": 1, "beta": 2})
        applying.adopt_rules(session, "v1")
        session.execute(f"INSERT INTO {TABLE} (id, note, kuroshio) VALUES (2, 'applied', '{{2050,0}}')".encode())
        session.execute(f"SELECT FROM {TABLE} WHERE id = 2 FOR UPDATE".encode())
        session.execute(f"BEGIN; LOCK TABLE {TABLE} IN SHARE ROW EXCLUSIVE MODE; COMMIT".encode())
        session.execute(f"DELETE FROM {TABLE} WHERE id = 2".encode())
        tombstones.collect(session, ["alpha", "beta"], lambda *_: None)  # type: ignore[arg-type]
        assert tombstones.at_work(session) is not None
    assert pair.run(pair.alpha, "SELECT FROM kuroshio.tombstone WHERE relname = 'held'") == []


def test_control_compares_keeps_what_it_found_and_has_rows_sent_again(pair: Pair) -> None:
    with working_as(pair, "control") as session:
        register(session)
        site, table = pair.config.sites["alpha"], enlisted(session, ("public", "held"))
        services = Tables(session, pair.config, site)
        asked = {"rules": pair.config.rules.version, "shape": shape_of(table), "dropped": [], "scope": 0}
        said = services.parts("beta", {**asked, "table": ["public", "held"], "asks": [[None, None, 10, 10]]})
        assert said["replies"][0][0][0][1] == 1, "rows"
        services.positions("beta", {"fence": True})
        resend = {"table": ["public", "held"], "keys": [["1"]], "by": "chen"}
        assert Resending(session, pair.config).resend("beta", resend) == {"sent": 1}
        verifications.begin(session, "beta", table.qualified)
        verifications.end(session, "beta", table.qualified, Outcome(1, 1, [("1",)], False, ""))
        verifications.next_due(session, ["beta"], Cycle(24))
        verifications.count_letter(session, "beta", "")
    pair.run(
        pair.alpha, "DELETE FROM kuroshio.moved; DELETE FROM kuroshio.divergent; DELETE FROM kuroshio.verification"
    )


def test_ops_asks_what_is_to_become_of_what_was_set_aside_and_sees_who_is_at_work(pair: Pair) -> None:
    with working_as(pair, "ops") as session, session.transaction(force_rollback=True):
        change = Change(("public", "held"), "U", (b"1",), {"note": b"y"}, 4096, 0, Author("beta", 2, 0, 9, {}))
        applying.park(pair.alpha, change, "refused", "")
        [waits] = waiting(session)
        ask(session, Action.RETRY, waits.id, by="lin")
        ask_comparison(session, by="lin")
        session.execute("SELECT count(*) FROM kuroshio.conflict")
        assert session.execute("SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_stat_activity%'").fetchone()


def test_read_answers_questions(pair: Pair) -> None:
    with working_as(pair, "read") as session:
        assert session.execute(f"SELECT note FROM {TABLE} WHERE id = 1".encode()).fetchone() == ("x",)
        session.execute("SELECT count(*) FROM kuroshio.position")


# -- and no more -------------------------------------------------------------------------------------------------------

OF_NOBODY = (
    "SELECT rolpassword FROM pg_authid",
    "CREATE ROLE mine",
    "ALTER ROLE kuroshio_apply SUPERUSER",
    f"COPY {TABLE} TO PROGRAM 'true'",
    "SELECT pg_read_file('/etc/hostname')",
    "CREATE TABLE kuroshio.mine (id int)",
    "CREATE TABLE public.mine (id int)",
    "CREATE TEMP TABLE mine (id int)",
    f"SELECT FROM {PRIVATE}",
    f"ALTER TABLE {TABLE} ADD COLUMN more int",
    f"DROP TABLE {TABLE}",
    f"TRUNCATE {TABLE}",
    "SELECT kuroshio.grant_table('public', 'unheld')",
    "UPDATE kuroshio.site SET name = 'other'",
    "UPDATE kuroshio.replicated_table SET rules = '{}'",
    "SELECT pglogical.drop_node('kuroshio_alpha')",
)
FORGED = tuple(
    f"INSERT INTO kuroshio.request (id, asked_by, action, {column}) VALUES (gen_random_uuid(), 'lin', 'retry', {value})"
    for column, value in (("outcome", "'taken'"), ("asked_at", "now()"), ("came_as", "'other'"))
)
BEYOND: dict[Role, tuple[str, ...]] = {
    "capture": (
        f"SELECT FROM {TABLE}",
        f"UPDATE {TABLE} SET note = 'captured'",
        "DELETE FROM kuroshio.tombstone",
        "UPDATE kuroshio.position SET lsn = '0/0'",
        "DELETE FROM kuroshio.conflict",
        "SET session_replication_role = replica",
        "SELECT pg_replication_origin_create('mine')",
    ),
    "apply": (
        "SELECT pg_drop_replication_slot('kuroshio')",
        "UPDATE kuroshio.capture SET live_lsn = '0/0'",
        "UPDATE kuroshio.site SET incarnation = 'other'",
        "SELECT pg_replication_origin_drop('kuroshio')",
    ),
    "control": (
        f"UPDATE {TABLE} SET note = 'compared'",
        "DELETE FROM kuroshio.tombstone",
        "DELETE FROM kuroshio.moved",
        "UPDATE kuroshio.position SET lsn = '0/0'",
        "SET session_replication_role = replica",
        "SELECT pg_replication_origin_create('mine')",
        "SELECT pg_drop_replication_slot('kuroshio')",
    ),
    "ops": (
        f"SELECT FROM {TABLE}",
        f"UPDATE {TABLE} SET note = 'watched'",
        "DELETE FROM kuroshio.conflict",
        "DELETE FROM kuroshio.parked",
        "UPDATE kuroshio.request SET outcome = 'taken'",
        *FORGED,
        "UPDATE kuroshio.position SET lsn = '0/0'",
        "SET session_replication_role = replica",
        "SELECT pg_drop_replication_slot('kuroshio')",
    ),
    "read": (
        f"UPDATE {TABLE} SET note = 'read'",
        "UPDATE kuroshio.parked SET tries = 0",
        "SET session_replication_role = replica",
        "SELECT pg_drop_replication_slot('kuroshio')",
    ),
}


@pytest.mark.parametrize(
    ("role", "statement"),
    [(role, statement) for role, beyond in BEYOND.items() for statement in (*OF_NOBODY, *beyond)],
)
def test_a_role_cannot_do_what_is_not_its_work(pair: Pair, role: Role, statement: str) -> None:
    with working_as(pair, role) as session:
        session.execute("SET default_transaction_read_only = off")
        with pytest.raises(InsufficientPrivilege):
            session.execute(statement.encode())


def test_who_only_reads_is_told_so_at_once(pair: Pair) -> None:
    with working_as(pair, "read") as session, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        session.execute("CREATE TEMP TABLE mine (id int)")


@pytest.mark.parametrize(
    "statement",
    [
        "SET session_replication_role = replica",
        "SELECT pg_replication_origin_create('mine')",
        "DELETE FROM kuroshio.tombstone",
        "UPDATE kuroshio.position SET lsn = '0/0'",
        "DELETE FROM kuroshio.conflict",
        "SELECT pg_drop_replication_slot('kuroshio')",
        "DROP EVENT TRIGGER kuroshio_follow_ddl",
        *FORGED,
    ],
)
def test_the_application_cannot_touch_what_replication_keeps(pair: Pair, statement: str) -> None:
    with connect(pair.config.sites["alpha"].dsn(), name="as app") as session:
        session.execute("SET SESSION AUTHORIZATION app")
        with pytest.raises(InsufficientPrivilege):
            session.execute(statement.encode())


def generated(pair: Pair) -> list[str]:
    """The functions of the table's triggers."""
    rows = pair.run(
        pair.alpha,
        "SELECT p.proname::text FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid"
        f" WHERE t.tgrelid = '{TABLE}'::regclass AND p.proname LIKE 'on\\_%'",
    )
    return [str(name) for (name,) in rows]


def test_nobody_can_put_a_trigger_that_writes_tombstones_on_a_table_of_their_own(pair: Pair) -> None:
    names = generated(pair)
    assert len(names) == 3
    with connect(pair.config.sites["alpha"].dsn(), name="as app") as session:
        session.execute("SET SESSION AUTHORIZATION app")
        session.execute("CREATE TEMP TABLE mine (id int, note text, kuroshio bigint[])")
        for name in names:
            forge = f"CREATE TRIGGER forged BEFORE DELETE ON mine FOR EACH ROW EXECUTE FUNCTION kuroshio.{name}()"
            with pytest.raises(InsufficientPrivilege):
                session.execute(forge.encode())


def test_a_trigger_on_another_table_than_its_own_deletes_nothing(pair: Pair) -> None:
    """Whoever put it there."""
    [name] = [name for name in generated(pair) if name.startswith("on_delete")]
    with pair.alpha.transaction(force_rollback=True):
        for statement in (
            "CREATE TABLE public.mine (id int, note text, kuroshio bigint[])",
            "INSERT INTO public.mine VALUES (1, 'x', '{1,1}')",
            f"CREATE TRIGGER forged BEFORE DELETE ON public.mine FOR EACH ROW EXECUTE FUNCTION kuroshio.{name}()",
        ):
            pair.alpha.execute(statement.encode())
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            pair.alpha.execute("DELETE FROM public.mine")


def test_the_application_cannot_have_replication_run_its_code_to_spell_a_value(pair: Pair) -> None:
    with connect(pair.config.sites["alpha"].dsn(), name="as app") as session, session.transaction(force_rollback=True):
        session.execute("CREATE SCHEMA theirs AUTHORIZATION app")
        session.execute("SET LOCAL SESSION AUTHORIZATION app")
        session.execute("CREATE TYPE theirs.colour AS ENUM ('red')")
        session.execute("CREATE FUNCTION theirs.f(theirs.colour) RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$")
        with pytest.raises(InsufficientPrivilege), session.transaction():
            session.execute("CREATE CAST (theirs.colour AS text) WITH FUNCTION theirs.f(theirs.colour)")


def test_every_grant_may_be_given_again(pair: Pair) -> None:
    before = initialise_site(pair.config.sites["alpha"])
    assert initialise_site(pair.config.sites["alpha"]) == before

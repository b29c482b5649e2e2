"""What operators ask about changes that wait is obeyed once, answered, and on record (replication/apply/obeying.py)."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
import pytest

from replication.apply.applier import Applier
from replication.apply.merging import Merger
from replication.apply.obeying import Obedience
from replication.apply.tables import Tables
from replication.core.changes import Author, Change
from replication.core.stamps import hlc_of, moment
from replication.errors import UsageError
from replication.postgres import applying
from replication.postgres.connect import Connection, connect
from replication.postgres.parameters import register
from replication.postgres.rows import FastRows
from replication.requests import Action, Outcome, answer_to, ask, ask_back
from replication.status import count_waiting, deeds, values_here, waiting, waiting_one
from sitecfg import Rules
from tests.postgres.servers import Pair, as_applied

NUMBERS = {"alpha": 1, "beta": 2}
AUTHOR = Author("beta", 2, 0, 9, {})
TOMORROW = moment(10**15, 2)


class Site:
    """Alpha, which refuses an ``n`` of 100 or more, with changes of beta set aside."""

    def __init__(self, pair: Pair) -> None:
        self.pair, self.session, self.name = pair, pair.alpha, (pair.schema, "t")
        pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, n int, note text)")
        pair.enlist("t")
        pair.run(pair.alpha, "ALTER TABLE t ADD CONSTRAINT small CHECK (n < 100)")
        pair.run(pair.alpha, "INSERT INTO t VALUES (1, 1, 'a')")
        pair.run(pair.alpha, "DELETE FROM kuroshio.parked")
        pair.run(pair.alpha, "DELETE FROM kuroshio.request")

    def park(self, op: str, key: int, n: int, *, at: int = 0) -> int:
        """Beta's change is set aside; returns its id."""
        cells: dict[str, bytes | None] = {"n": b"%d" % n}
        if op == "I":
            cells["note"] = b"theirs"
        newest = self.pair.run(self.session, "SELECT kuroshio.newest(kuroshio) FROM t WHERE id = 1")[0][0]
        stamp = at or moment(hlc_of(int(str(newest))) + 1, 2)
        change = Change(self.name, op, (b"%d" % key,), cells, stamp, 0, AUTHOR)
        applying.park(self.session, change, "refused", "23514: small")
        [found] = [one.id for one in waiting(self.session) if one.key == (str(key),)]
        return found

    def obey(self) -> None:
        """As the writer's tick does."""
        with writer(self.pair) as session:
            tables = Tables(session, Rules({}))
            park = lambda change, reason, detail: applying.park(session, change, reason, detail)  # noqa: E731
            applier = Applier(session, tables, Merger(session, 1, list(NUMBERS), tables, park), FastRows(), 10**18)

            def retry(change: Change, tries: int) -> None:
                applier.merge_or_park(change)
                applying.unpark(session, change, tries)

            dsn = self.pair.config.sites["alpha"].dsn()
            Obedience(session, dsn, applier, NUMBERS, retry).step()

    def do(self, action: Action, parked: int, **more: object) -> tuple[Outcome, str] | None:
        request = ask(self.session, action, parked, by="wang", **more)  # type: ignore[arg-type]
        assert answer_to(self.session, request) is None
        self.obey()
        return answer_to(self.session, request)

    def rows(self) -> list[tuple[object, ...]]:
        return self.pair.run(self.session, "SELECT id, n, note FROM t ORDER BY id")


@contextmanager
def writer(pair: Pair) -> Iterator[Connection]:
    with connect(pair.config.sites["alpha"].dsn(), name="apply") as session:
        register(session)
        with as_applied(session):
            session.execute("SET session_replication_role = replica")
            yield session


@pytest.fixture
def site(pair: Pair) -> Site:
    return Site(pair)


def test_a_retry_says_what_stands_against_it_and_takes_it_when_that_is_mended(site: Site) -> None:
    change = site.park("U", 1, 500)
    assert site.do(Action.RETRY, change) == (Outcome.WAITS, "refused: 23514: small")
    site.pair.run(site.session, "ALTER TABLE t DROP CONSTRAINT small")
    assert site.do(Action.RETRY, change) == (Outcome.TAKEN, "")
    assert site.rows() == [(1, 500, "a")]
    assert count_waiting(site.session) == {}


def test_an_edit_is_a_write_of_this_site_above_the_change(site: Site) -> None:
    change = site.park("U", 1, 500, at=TOMORROW)
    assert site.do(Action.EDIT, change, cells={"n": "50"}) == (Outcome.TAKEN, "")
    assert site.rows() == [(1, 50, "a")]
    newest = site.pair.run(site.session, "SELECT kuroshio.newest(kuroshio) FROM t")[0][0]
    assert int(str(newest)) > TOMORROW, "whatever the clocks say"
    assert int(str(newest)) & 1023 == NUMBERS["alpha"]
    conflicts = "SELECT count(*) FROM kuroshio.conflict WHERE nspname = %s"
    assert site.pair.run(site.session, conflicts, (site.pair.schema,)) == [(0,)], "whoever wrote it knew of the change"


def test_a_new_row_is_inserted_with_what_was_edited(site: Site) -> None:
    assert site.do(Action.EDIT, site.park("I", 2, 500), cells={"n": "50"}) == (Outcome.TAKEN, "")
    assert site.rows() == [(1, 1, "a"), (2, 50, "theirs")]


@pytest.mark.parametrize(
    ("op", "key", "cells", "told"),
    [
        ("U", 1, {"n": "100"}, "small"),
        ("U", 1, {"n": "many"}, "invalid input syntax"),
        ("U", 1, {"nothing": "1"}, "no such column"),
        ("U", 1, {"id": "7"}, "no such column"),
        ("U", 9, {"n": "5"}, "not in its table"),
    ],
)
def test_an_edit_that_cannot_be_made_changes_nothing(
    site: Site, op: str, key: int, cells: dict[str, str], told: str
) -> None:
    change, before = site.park(op, key, 500), site.rows()
    answer = site.do(Action.EDIT, change, cells=cells)
    assert answer is not None
    assert answer[0] == Outcome.FAILED
    assert told in answer[1]
    assert site.rows() == before
    assert waiting_one(site.session, change) is not None, "and the change waits on"


def test_a_new_row_of_a_time_that_has_not_come_cannot_be_outdone_yet(site: Site) -> None:
    answer = site.do(Action.EDIT, site.park("I", 2, 500, at=TOMORROW), cells={"n": "5"})
    assert answer is not None
    assert "a time that has not come" in answer[1]


def test_what_is_discarded_stays_on_record_and_is_restored_from_it(site: Site) -> None:
    change = site.park("U", 1, 50)
    assert site.do(Action.DISCARD, change, why="not ours") == (Outcome.DISCARDED, "")
    assert waiting(site.session) == []
    [deed] = deeds(site.session)
    assert (deed.by, deed.action, deed.why, deed.parked, deed.key) == ("wang", "discard", "not ours", change, ("1",))
    back = ask_back(site.session, deed.id, by="lin")
    site.obey()
    assert answer_to(site.session, back) == (Outcome.RESTORED, "")
    [again] = waiting(site.session)
    assert again.cells == {"n": "50"}
    assert site.do(Action.RETRY, again.id) == (Outcome.TAKEN, "")
    assert [one.action for one in deeds(site.session)] == ["retry", "restore", "discard"]


def test_what_was_withdrawn_since_is_neither_brought_back_nor_written(site: Site) -> None:
    discarded = ask(site.session, Action.DISCARD, site.park("U", 1, 50), by="wang", why="not ours")
    site.obey()
    back = ask_back(site.session, discarded, by="lin")
    edit = ask(site.session, Action.EDIT, site.park("I", 2, 500), by="wang", cells={"n": "5"})
    site.pair.run(site.session, "UPDATE kuroshio.request SET cells = NULL, change = NULL")
    site.obey()
    assert answer_to(site.session, back) == (Outcome.GONE, "")
    assert "withdrawn" in (answer_to(site.session, edit) or (None, ""))[1]
    assert site.rows() == [(1, 1, "a")]
    with pytest.raises(UsageError, match="nothing that was discarded"):
        ask_back(site.session, discarded, by="lin")


def test_a_request_that_is_sent_twice_is_asked_once(site: Site) -> None:
    change, request = site.park("U", 1, 500), uuid4()
    for _ in range(2):
        assert ask(site.session, Action.DISCARD, change, by="wang", why="twice", request=request) == request
    site.obey()
    assert ask(site.session, Action.DISCARD, change, by="wang", why="late", request=request) == request
    assert [one.outcome for one in deeds(site.session)] == ["discarded"]


def test_two_people_ask_for_the_same_and_the_second_is_told(site: Site) -> None:
    change = site.park("U", 1, 500)
    first, second = (ask(site.session, Action.DISCARD, change, by=name, why="-") for name in ("wang", "lin"))
    site.obey()
    assert answer_to(site.session, first) == (Outcome.DISCARDED, "")
    assert answer_to(site.session, second) == (Outcome.GONE, "")


def test_nothing_is_asked_about_what_does_not_wait_nor_discarded_without_a_reason(site: Site) -> None:
    with pytest.raises(UsageError, match="no change 7"):
        ask(site.session, Action.RETRY, 7, by="wang")
    with pytest.raises(UsageError, match="say why"):
        ask(site.session, Action.DISCARD, site.park("U", 1, 500), by="wang", why=" ")
    with pytest.raises(UsageError, match="nothing that was discarded"):
        ask_back(site.session, uuid4(), by="wang")


def test_a_page_shows_what_would_be_written_beside_what_is_here(site: Site) -> None:
    change = waiting_one(site.session, site.park("U", 1, 500))
    assert change is not None
    assert (change.cells, values_here(site.session, change)) == ({"n": "500"}, {"n": "1"})
    unborn = waiting_one(site.session, site.park("U", 9, 500))
    assert unborn is not None
    assert values_here(site.session, unborn) is None


def test_the_application_may_ask_and_nothing_else(site: Site) -> None:
    change = site.park("U", 1, 500)
    with connect(site.pair.config.sites["alpha"].dsn(), name="as app") as session:
        session.execute("SET ROLE app")
        request = ask(session, Action.RETRY, change, by="wang")
        assert answer_to(session, request) is None
        for forbidden in (
            "UPDATE kuroshio.request SET outcome = 'taken'",
            "DELETE FROM kuroshio.request",
            "DELETE FROM kuroshio.parked",
            "INSERT INTO kuroshio.link_sample VALUES (now(), 'a', 'b', 'up', 0, 0, 0)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(forbidden.encode())


def test_installing_again_keeps_the_ids(site: Site) -> None:
    from replication.initialising import initialise_site

    change = site.park("U", 1, 500)
    initialise_site(site.pair.config.sites["alpha"])
    [one] = waiting(site.session)
    assert one.id == change
    sequences = "SELECT count(*) FROM pg_class WHERE relkind = 'S' AND relname LIKE 'parked%'"
    assert site.pair.run(site.session, sequences) == [(1,)]

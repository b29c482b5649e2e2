"""The conflicts of a site as an application reads them: what they are called, which are open, page by page."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replication.core.stamps import moment
from replication.postgres.connect import Connection
from replication.status import (
    PARENT,
    UNIQUE,
    Conflicts,
    Mark,
    NotInitialisedError,
    Wanted,
    Watched,
    conflict_id,
    local_view,
)
from tests.postgres.servers import Pair

SITES = {"alpha": 1, "beta": 2}
NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
AT = int((NOW - datetime(2000, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))

_INSERT = """
INSERT INTO kuroshio.conflict (nspname, relname, key, column_name, winner, loser, type, resolution, rule,
                               winner_value, loser_value, recorded_at)
VALUES (%(schema)s, %(table)s, %(key)s, %(column)s, %(winner)s, %(loser)s, %(type)s, 'apply_remote',
        %(rule)s, 'new', 'old', %(recorded_at)s)"""


class Site:
    """One site's database with an application's table of answers, and conflicts of a table `t` in it."""

    def __init__(self, pair: Pair, session: Connection) -> None:
        self.schema = pair.schema
        self.session = session
        pair.run(session, "CREATE TABLE answer (id uuid PRIMARY KEY)")
        session.execute("DELETE FROM kuroshio.conflict")
        watched = {f"{self.schema}.t": {"": False, "name": True, "note": False}, f"{self.schema}.u": {"name": False}}
        keys = {f"{self.schema}.t": ["t_mail"]}
        self.conflicts = Conflicts(session, SITES, Watched(watched, f"{self.schema}.answer", keys))

    def record(self, number: int, **more: Any) -> UUID:
        """A conflict recorded so many seconds after NOW; returns its id."""
        row: dict[str, Any] = {
            "schema": self.schema,
            "table": "t",
            "key": [str(number)],
            "column": "name",
            "winner": moment(AT + number, 1),
            "loser": moment(AT - 5, 2),
            "type": "update_origin_differs",
            "rule": "latest",
            "recorded_at": NOW + timedelta(seconds=number),
            **more,
        }
        self.session.execute(_INSERT, row)
        winner = row["loser"] if row["type"] == UNIQUE else row["winner"]
        return conflict_id(f"{self.schema}.{row['table']}", row["key"], row["column"], winner, row["loser"])

    def claim(self, number: int, rule: str = "unique.t_mail = mark", **more: Any) -> UUID:
        """The same over a unique key."""
        return self.record(number, type=UNIQUE, column="mail", rule=rule, **more)

    def answer(self, key: UUID) -> None:
        self.session.execute(f"INSERT INTO {self.schema}.answer VALUES (%s)".encode(), (key,))

    def found(self, **wanted: Any) -> list[UUID]:
        return [each.id for each in self.conflicts.page(Wanted(**wanted), most=100)]


@pytest.fixture
def site(pair: Pair) -> Site:
    return Site(pair, pair.alpha)


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)


# The site is emptied in each example, so that one of a function's scope serves them all.
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.lists(texts, min_size=1, max_size=3), one=st.integers(1, 2**62), other=st.integers(1, 2**62))
def test_the_database_names_a_conflict_as_the_program_does(site: Site, key: list[str], one: int, other: int) -> None:
    site.session.execute("DELETE FROM kuroshio.conflict")
    named = site.record(1, key=key, winner=one, loser=other)
    (found,) = site.conflicts.page()
    assert (found.id, found.key) == (named, tuple(key))
    assert named.version == 3


def test_the_name_does_not_say_who_won() -> None:
    assert conflict_id("s.t", ["1"], "name", 5, 9) == conflict_id("s.t", ["1"], "name", 9, 5)


def test_what_differs_in_anything_has_another_name() -> None:
    calls: list[Callable[[], UUID]] = [
        lambda: conflict_id("s.t", ["1"], "name", 5, 9),
        lambda: conflict_id("s.u", ["1"], "name", 5, 9),
        lambda: conflict_id("s.t", ["2"], "name", 5, 9),
        lambda: conflict_id("s.t", ["1", ""], "name", 5, 9),
        lambda: conflict_id("s.t", ["1"], "note", 5, 9),
        lambda: conflict_id("s.t", ["1"], "name", 5, 8),
    ]
    assert len({call() for call in calls}) == len(calls)


def test_a_conflict_says_who_wrote_what_where_and_when(site: Site) -> None:
    named = site.record(3)
    found = site.conflicts.get(named)
    assert found is not None
    assert (found.table, found.key, found.column, found.rule) == (f"{site.schema}.t", ("3",), "name", "latest")
    assert (found.winner.site, found.winner.at, found.winner.value) == ("alpha", NOW + timedelta(microseconds=3), "new")
    assert (found.loser.site, found.loser.at, found.loser.value) == ("beta", NOW - timedelta(microseconds=5), "old")
    assert found.open


def test_a_site_without_a_name_is_told_by_its_number(site: Site) -> None:
    found = site.conflicts.get(site.record(3, loser=moment(AT, 77)))
    assert found is not None
    assert found.loser.site == "77"


@pytest.mark.parametrize("wrong", ["", "x", "00000000-0000-4000-8000-000000000000", "'; --"])
def test_what_is_no_conflict_is_none(site: Site, wrong: str) -> None:
    assert site.conflicts.get(wrong) is None


def test_an_answer_closes_it_and_what_nobody_asks_about_is_never_open(site: Site) -> None:
    asked, quiet, answered = site.record(1), site.record(2, column="note"), site.record(3)
    assert site.conflicts.count_open() == 2
    site.answer(answered)
    assert {each.id: each.open for each in site.conflicts.page()} == {asked: True, quiet: False, answered: False}
    assert site.conflicts.count_open() == 1
    assert site.found(open=True) == [asked]


def test_one_across_a_change_of_the_rule_is_open_whether_or_not_the_column_is_asked_about(site: Site) -> None:
    late = site.record(1, column="note", rule="generation")
    site.record(2, column="note")
    asked = site.record(3)
    assert site.found(open=True) == [asked, late]
    assert site.conflicts.count_open() == 2
    site.answer(late)
    assert site.found(open=True) == [asked]
    assert site.conflicts.count_open() == 1


def test_a_claim_on_a_unique_key_is_open_where_the_key_asks_and_history_where_it_does_not(site: Site) -> None:
    asked, quiet = site.claim(1), site.claim(2, "unique.t_code = hide")
    site.claim(3, table="u")  # the rows of u are not shown
    assert {each.id: each.open for each in site.conflicts.page()} == {asked: True, quiet: False}
    assert site.conflicts.count_open() == 1
    site.answer(asked)
    assert (site.found(open=True), site.conflicts.count_open()) == ([], 0)


def test_a_claim_is_one_whichever_holder_a_site_met_it_against(site: Site) -> None:
    first = site.claim(1, key=["7"], winner=moment(AT, 1))
    second = site.claim(2, key=["7"], winner=moment(AT, 2))
    assert first == second
    site.answer(first)
    assert not any(each.open for each in site.conflicts.page())


def test_what_fell_with_its_parent_is_shown_and_asks_nobody(site: Site) -> None:
    fell = site.record(1, type=PARENT, column="p_id", rule="parent.t_p_id_fkey = falls")
    (found,) = site.conflicts.page()
    assert (found.id, found.type, found.open) == (fell, PARENT, False)


def test_those_of_unique_keys_and_of_parents_are_found_by_either_word(site: Site) -> None:
    claim, fell = site.claim(1), site.record(2, type=PARENT, column="p_id", rule="parent.t_p_id_fkey = falls")
    site.record(3)
    assert (site.found(rule="unique"), site.found(rule="parent")) == ([claim], [fell])
    assert site.found(rule="unique.t_mail = mark") == [claim]


def test_columns_that_the_application_does_not_name_are_not_shown(site: Site) -> None:
    site.record(1, column="search_text")
    site.record(2, table="v")
    assert site.found() == []


def test_open_ones_come_first_then_the_newest_and_no_page_repeats_or_leaves_out(site: Site) -> None:
    all_of_them = [site.record(number, column=("name", "note")[number % 2]) for number in range(12)]
    all_of_them += [site.record(20, key=[f"same {number % 3}"], loser=number) for number in range(1, 7)]
    seen: list[Any] = []
    after = None
    while page := site.conflicts.page(after=after, most=4):
        seen += page
        after = Mark.of(page[-1])
    assert sorted(each.id for each in seen) == sorted(all_of_them)
    assert [(not each.open, -each.recorded_at.timestamp()) for each in seen] == sorted(
        (not each.open, -each.recorded_at.timestamp()) for each in seen
    )


def test_a_list_is_narrowed(site: Site) -> None:
    mine, other = site.record(1), site.record(2, table="u", rule="site", loser=moment(AT - 5, 3))
    assert site.found(tables=[f"{site.schema}.u"]) == [other]
    assert site.found(site="beta") == [mine]
    assert set(site.found(site="alpha")) == {mine, other}
    assert site.found(site="nowhere") == []
    assert site.found(rule="site") == [other]
    assert site.found(keys=[["1"]]) == [mine]
    assert site.found(keys=[]) == []
    assert site.found(since=NOW + timedelta(seconds=2)) == [other]
    assert site.found(until=NOW + timedelta(seconds=2)) == [mine]


def test_many_are_read_at_once(site: Site) -> None:
    one, other = site.record(1), site.record(2)
    assert {each.id for each in site.conflicts.get_all([one, other, uuid4(), "x"])} == {one, other}
    assert site.conflicts.get_all([]) == []


def test_open_ones_are_counted_up_to_a_bound(site: Site) -> None:
    for number in range(5):
        site.record(number)
    assert site.conflicts.count_open(most=3) == 3


def test_a_database_without_replication_says_so(fresh: Callable[..., Pair]) -> None:
    session = fresh(initialised=False).alpha
    with pytest.raises(NotInitialisedError):
        Conflicts(session, SITES, Watched({}, "public.answer")).page()


def test_a_view_without_totals_counts_nothing(site: Site) -> None:
    site.record(1)
    assert local_view(site.session, SITES).conflicts_total == 1
    assert local_view(site.session, SITES, totals=False).conflicts_total is None

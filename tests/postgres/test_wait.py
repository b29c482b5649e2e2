"""The fence is passed when every site has applied what was committed before; positions are set by hand here."""

import pytest

from replication.postgres.connect import connect
from replication.status import local_view
from replication.status.operator import read_status
from replication.status.terminal import render
from replication.wait import mark, wait
from tests.postgres.servers import Pair

NUMBERS = {"alpha": 1, "beta": 2}


@pytest.fixture(autouse=True)
def nothing_applied(pair: Pair) -> None:
    for name in ("position", "reading", "peer_position", "parked", "conflict"):
        pair.everywhere(f"DELETE FROM kuroshio.{name}")


def applied(pair: Pair, reader: str, origin: str, lsn: str, incarnation: str | None = None) -> None:
    token = incarnation or pair.run(pair.sessions[origin], "SELECT incarnation FROM kuroshio.site")[0][0]
    pair.run(
        pair.sessions[reader],
        "INSERT INTO kuroshio.position (origin, incarnation, lsn, commit_time, published_at, changes)"
        " VALUES (%s, %s, %s, now() - interval '1 hour', now(), 5) ON CONFLICT (origin) DO UPDATE SET"
        " incarnation = excluded.incarnation, lsn = excluded.lsn",
        (origin, token, lsn),
    )


FAR = "FFFF/0"


def test_links_that_have_passed_are_not_waited_for(pair: Pair) -> None:
    applied(pair, "alpha", "beta", FAR)
    applied(pair, "beta", "alpha", FAR)
    assert wait(pair.sessions, 0) == []


def test_a_link_that_is_behind_is_named_with_what_to_do(pair: Pair) -> None:
    applied(pair, "alpha", "beta", FAR)
    applied(pair, "beta", "alpha", "0/1")
    [behind] = wait(pair.sessions, 0.2)
    assert (behind.origin, behind.reader) == ("alpha", "beta")
    assert behind.missing_bytes is not None
    assert behind.missing_bytes > 1000
    assert "capture does not run at alpha" in str(behind)


def test_a_position_of_another_lsn_space_counts_for_nothing(pair: Pair) -> None:
    """Invariant 1: a restored database reuses LSNs."""
    applied(pair, "alpha", "beta", FAR)
    applied(pair, "beta", "alpha", FAR, incarnation="of another database")
    [behind] = wait(pair.sessions, 0)
    assert behind.missing_bytes is None


def test_what_is_committed_before_the_mark_lies_before_it(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY)")
    first = mark(pair.alpha)
    pair.run(pair.alpha, "INSERT INTO t VALUES (1)")
    second = mark(pair.alpha)
    assert (first.origin, second.origin) == ("alpha", "alpha")
    assert second.lsn > first.lsn
    [(number,)] = pair.run(pair.alpha, "SELECT number FROM kuroshio.fence")
    assert int(str(number)) >= 2


def reads(pair: Pair, state: str = "running", heard_ago: str = "0 s", head: str = FAR, changes: int = 5) -> None:
    pair.run(
        pair.beta,
        "INSERT INTO kuroshio.reading (origin, state, reason, heard_at, head_lsn, head_changes)"
        " VALUES ('alpha', %s, 'why', now() - %s::interval, %s, %s)",
        (state, heard_ago, head, changes),
    )


@pytest.mark.parametrize(
    ("state", "heard_ago", "changes", "seen"),
    [
        ("running", "0 s", 5, "up"),
        ("running", "0 s", 6, "late"),
        ("running", "6 s", 5, "cut"),
        ("connecting", "0 s", 5, "up"),
        ("stopped", "0 s", 5, "stopped"),
    ],
)
def test_a_link_into_this_site_is_as_its_reader_found_it(
    pair: Pair, state: str, heard_ago: str, changes: int, seen: str
) -> None:
    applied(pair, "beta", "alpha", "FFFE/0")
    reads(pair, state, heard_ago, changes=changes)
    view = local_view(pair.beta, NUMBERS)
    [link] = [link for link in view.links if link.reader == "beta"]
    assert link.state == seen
    assert link.backlog_changes == changes - 5
    assert link.backlog_bytes == 1 << 32
    assert link.reason == ("why" if seen == "stopped" else "")


def said(pair: Pair, lsn: str, ago: str) -> None:
    pair.run(
        pair.beta,
        "INSERT INTO kuroshio.peer_position (reader, origin, incarnation, lsn, said_at, heard_at, moved_at)"
        " SELECT 'gamma', 'alpha', 'x', %(l)s, at, at, at FROM (SELECT now() - %(a)s::interval) AS heard (at)"
        " ON CONFLICT (reader, origin) DO UPDATE SET lsn = excluded.lsn, heard_at = excluded.heard_at",
        {"l": lsn, "a": ago},
    )


def between_others(pair: Pair) -> str:
    view = local_view(pair.beta, {"alpha": 1, "gamma": 3, "beta": 2})
    return next(link.state for link in view.links if (link.origin, link.reader) == ("alpha", "gamma"))


def test_a_link_between_others_is_known_by_the_readers_word_and_no_longer_than_it_lasts(pair: Pair) -> None:
    """Invariant 8: unreachable is not healthy."""
    assert between_others(pair) == "unknown"
    said(pair, "0/1", "16 s")
    assert between_others(pair) == "unknown"
    said(pair, "0/2", "0 s")
    assert between_others(pair) == "up"


def test_a_position_that_stands_still_is_a_link_that_is_cut(pair: Pair) -> None:
    """Also where there is no traffic: a healthy link moves with each heartbeat."""
    said(pair, "0/1", "20 s")
    said(pair, "0/1", "0 s")
    assert between_others(pair) == "cut"
    said(pair, "0/2", "0 s")
    assert between_others(pair) == "up"


def test_the_applications_own_role_may_look(pair: Pair) -> None:
    said(pair, "0/1", "0 s")
    with connect(pair.config.sites["beta"].dsn(), name="as app") as session:
        session.execute("SET ROLE app")
        assert local_view(session).site == "beta"


def test_the_operator_sees_a_site_that_does_not_answer_as_unknown(pair: Pair) -> None:
    report = read_status({"alpha": pair.alpha}, {"beta": "refused"}, NUMBERS)
    assert {(link.origin, link.state) for link in report.links} == {("alpha", "unknown"), ("beta", "unknown")}
    assert report.as_json()["sites"]["beta"] == {"reached": False, "reason": "refused"}
    text = render(report, colour=False)
    assert "! beta cannot be asked (refused)" in text
    assert "! capture of alpha does not run" in text


def test_the_operator_counts_the_backlog_from_the_origins_own_word(pair: Pair) -> None:
    """During a cut the reader cannot know how much waits."""
    applied(pair, "beta", "alpha", "0/1")
    reads(pair, heard_ago="1 hour", head="0/1")
    pair.run(pair.alpha, "UPDATE kuroshio.capture SET changes = 105")
    report = read_status(pair.sessions, {}, NUMBERS)
    link = next(link for link in report.links if link.reader == "beta")
    assert (link.state, link.backlog_changes) == ("cut", 100)
    assert link.lag_seconds is not None
    assert 3500 < link.lag_seconds < 3700
    assert "alpha -> beta  cut" in render(report, colour=False)
    assert "\033[31mcut" in render(report, colour=True)

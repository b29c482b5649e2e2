"""How the links did is sampled once each half minute, kept within bounds, and read with its gaps."""

from datetime import UTC, datetime, timedelta

import pytest

from replication.apply.sampling import EVERY, Sampler
from replication.postgres import samples
from replication.status import history, local_view, outlooks
from tests.postgres.servers import Pair

NUMBERS = {"alpha": 1, "beta": 2}
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WAY = ("beta", "alpha")


@pytest.fixture(autouse=True)
def nothing_known(pair: Pair) -> None:
    for name in ("position", "reading", "peer_position", "link_sample"):
        pair.everywhere(f"DELETE FROM kuroshio.{name}")


def keep(pair: Pair, ago: timedelta, applied: int, backlog: int = 0, *, now: datetime = NOON) -> None:
    samples.keep(pair.alpha, now - ago, [(*WAY, "late", 20.0, backlog, applied)])


def test_a_sample_is_taken_once_however_often_it_is_asked_for_and_by_whom(pair: Pair) -> None:
    for sampler in (Sampler(pair.alpha, "alpha", NUMBERS), Sampler(pair.alpha, "alpha", NUMBERS)):
        sampler.step()
        sampler.step()
    rows = pair.run(pair.alpha, "SELECT at, origin, reader, state FROM kuroshio.link_sample")
    moments = {at for at, *_ in rows}
    assert len(moments) <= 2, "the clock struck once meanwhile, at most"
    assert {tuple(link) for _, *link in rows} == {("alpha", "beta", "unknown"), ("beta", "alpha", "unknown")}
    assert all(at.second % EVERY.seconds == 0 and not at.microsecond for at in moments if isinstance(at, datetime))


def test_between_many_sites_only_those_links_are_sampled_that_begin_or_end_here(pair: Pair) -> None:
    numbers = NUMBERS | {f"site{number}": number for number in range(3, 14)}
    Sampler(pair.alpha, "alpha", numbers).step()
    rows = pair.run(pair.alpha, "SELECT DISTINCT origin, reader FROM kuroshio.link_sample")
    assert len(rows) == 24
    assert all("alpha" in row for row in rows)


def test_after_a_day_every_tenth_minute_is_kept_and_after_a_month_nothing(pair: Pair) -> None:
    for hours in (1, 30, 24 * 31):
        for seconds in range(0, 1200, 30):
            keep(pair, timedelta(hours=hours, seconds=seconds), 1)
    samples.thin(pair.alpha, NOON)
    rows = pair.run(pair.alpha, "SELECT at FROM kuroshio.link_sample ORDER BY at")
    ages = [(NOON - at) / timedelta(minutes=1) for (at,) in rows if isinstance(at, datetime)]
    assert [age for age in ages if age > 24 * 60] == [30 * 60 + 10, 30 * 60]
    assert len(ages) == 42


def test_history_tells_the_worst_of_each_stretch_and_leaves_gaps_where_nothing_was_known(pair: Pair) -> None:
    keep(pair, timedelta(minutes=59), 100, 5)
    keep(pair, timedelta(minutes=50), 300, 9)
    samples.keep(pair.alpha, NOON - timedelta(minutes=49), [(*WAY, "cut", 70.0, 2, 300)])
    keep(pair, timedelta(minutes=20), 900)
    series = history(pair.alpha, now=NOON, span=timedelta(hours=1), parts=4)[WAY]
    first, second, third, fourth = series.stretches
    assert first is not None
    assert (first.state, first.lag_seconds, first.backlog_changes, first.rate) == ("cut", 70.0, 9, None)
    assert second is None
    assert third is not None
    assert third.rate is None, "what was between is not known"
    assert fourth is None
    assert series.since == NOON - timedelta(hours=1)


def test_a_rate_is_that_of_two_stretches_and_one_link_can_be_asked_for_alone(pair: Pair) -> None:
    keep(pair, timedelta(minutes=40), 100)
    keep(pair, timedelta(minutes=10), 1_900)
    span = {"now": NOON, "span": timedelta(hours=1), "parts": 2}
    [_, second] = history(pair.alpha, way=WAY, **span)[WAY].stretches  # type: ignore[arg-type]
    assert second is not None
    assert second.rate == pytest.approx(1.0)
    assert history(pair.alpha, way=("alpha", "beta"), **span) == {}  # type: ignore[arg-type]


def test_the_outlook_of_a_link_comes_from_its_own_samples(pair: Pair) -> None:
    pair.run(
        pair.alpha,
        "INSERT INTO kuroshio.reading (origin, state, heard_at, head_changes) VALUES ('beta', 'running', now(), 900)",
    )
    pair.run(
        pair.alpha,
        "INSERT INTO kuroshio.position (origin, incarnation, lsn, commit_time, published_at, changes)"
        " VALUES ('beta', 'x', '0/1', now() - interval '1 minute', now(), 500)",
    )
    keep(pair, timedelta(seconds=60), 200, 700, now=datetime.now(UTC))
    view = local_view(pair.alpha, NUMBERS)
    outlook = outlooks(pair.alpha, view.links)[WAY]
    assert outlook.rate == pytest.approx(5, rel=0.1)
    assert outlook.catch_up_seconds == pytest.approx(80, rel=0.1)
    assert outlooks(pair.alpha, view.links)["alpha", "beta"].rate is None

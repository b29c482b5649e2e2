"""The exporter shows what the database holds, within its time, and says what it could not read."""

import time
from collections.abc import Iterator
from contextlib import closing

from prometheus_client.metrics_core import Metric

from replication import metrics
from replication.errors import TransientError
from replication.exporter.collector import STATEMENT_SECONDS, Part, SiteCollector
from replication.postgres.connect import Connection
from tests.postgres.servers import Pair

Shown = dict[str, dict[tuple[str, ...], float]]


def shown(pair: Pair, **more: Part) -> Shown:
    """By metric, then by the values of its labels."""
    with closing(exporter(pair, **more)) as collector:
        return dict(map(_samples, collector.collect()))


def exporter(pair: Pair, **more: Part) -> SiteCollector:
    return SiteCollector(pair.config, next(iter(pair.config.sites.values())), more)


def _samples(metric: Metric) -> tuple[str, dict[tuple[str, ...], float]]:
    name = metric.name + ("_total" if metric.type == "counter" else "")
    return name, {tuple(sample.labels.values()): sample.value for sample in metric.samples}


def read(figures: Shown) -> dict[str, float]:
    """Whether each part was read."""
    return {part: value for (part,), value in figures[metrics.PART_READ.name].items()}


def test_it_shows_the_slot_the_capture_and_the_disk(pair: Pair) -> None:
    figures = shown(pair)
    assert set(read(figures).values()) == {1.0}
    assert abs(figures[metrics.CLOCK.name][()] - time.time()) < 5
    assert figures[metrics.SLOT_ACTIVE.name] == {(): 0.0}
    assert figures[metrics.SLOT_LOST.name] == {(): 0.0}
    assert figures[metrics.SLOT_RETAINED.name][()] > 0
    assert figures[metrics.CAPTURE_STATE.name] == {("starting",): 1.0, ("running",): 0.0, ("fenced",): 0.0}
    assert 0 < figures[metrics.VOLUME_FREE.name]["database",] <= figures[metrics.VOLUME_SIZE.name]["database",]
    assert set(figures) <= set(metrics.declared())


def test_what_waits_is_counted_with_its_age_and_nothing_is_nought(pair: Pair) -> None:
    assert shown(pair)[metrics.PARKED.name]["parent",] == 0
    pair.alpha.execute(
        "INSERT INTO kuroshio.parked (nspname, relname, key, moment, op, origin, lsn, change, reason, parked_at)"
        " VALUES ('s', 't', '{1}', 1, 'I', 'beta', '0/1', '{}', 'parent', to_timestamp(1700000000))"
    )
    try:
        figures = shown(pair)
    finally:
        pair.alpha.execute("DELETE FROM kuroshio.parked WHERE nspname = 's'")
    assert figures[metrics.PARKED.name]["parent",] == 1
    assert figures[metrics.PARKED_OLDEST.name] == {("parent",): 1700000000}


def test_deleted_rows_are_counted_by_how_far_they_have_gone(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE gone (id int PRIMARY KEY)")
    pair.enlist("gone")
    before = shown(pair)[metrics.TOMBSTONES.name]["written",]
    pair.run(pair.alpha, "INSERT INTO gone VALUES (1)")
    pair.run(pair.alpha, "DELETE FROM gone")
    figures = shown(pair)
    assert figures[metrics.TOMBSTONES.name]["written",] == before + 1
    assert time.time() - figures[metrics.TOMBSTONE_HORIZON.name]["written",] < 3600


def test_what_was_not_compared_yet_counts_from_when_it_came_under_replication(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE compared (id int PRIMARY KEY)")
    pair.enlist("compared")
    [peer] = list(pair.config.sites)[1:]
    key = (peer, f"{pair.schema}.compared")
    figures = shown(pair)
    assert time.time() - figures[metrics.VERIFIED.name][key] < 3600
    assert figures[metrics.DIVERGENT.name][key] == 0
    assert figures[metrics.LETTERS_REFUSED.name] == {(peer,): 0, ("nobody",): 0}
    pair.alpha.execute(
        "INSERT INTO kuroshio.verification (peer, nspname, relname, told_at, divergent)"
        " VALUES (%s, %s, 'compared', to_timestamp(1700000000), 3)",
        (peer, pair.schema),
    )
    pair.alpha.execute("INSERT INTO kuroshio.letters (peer, refused, heard_at) VALUES ('', 2, now())")
    try:
        figures = shown(pair)
    finally:
        pair.alpha.execute("DELETE FROM kuroshio.verification")
        pair.alpha.execute("DELETE FROM kuroshio.letters")
    assert figures[metrics.VERIFIED.name][key] == 1700000000
    assert figures[metrics.DIVERGENT.name][key] == 3
    assert figures[metrics.LETTERS_REFUSED.name]["nobody",] == 2


def test_an_idle_link_has_no_lag_and_one_that_was_never_heard_is_unknown(pair: Pair) -> None:
    figures = shown(pair)
    [origin] = {origin for origin, _ in figures[metrics.LINK_STATE.name]}
    assert figures[metrics.LINK_STATE.name][origin, "unknown"] == 1
    assert figures[metrics.LINK_LAG.name] == {}, "what is not known is left out"
    pair.alpha.execute(
        "INSERT INTO kuroshio.reading (origin, state, heard_at) VALUES (%s, 'running', clock_timestamp());", (origin,)
    )
    pair.alpha.execute(
        "INSERT INTO kuroshio.position (origin, incarnation, lsn, commit_time, published_at)"
        " VALUES (%s, 'x', '0/10', now() - interval '1 day', clock_timestamp())",
        (origin,),
    )
    pair.alpha.execute(
        "INSERT INTO kuroshio.position (origin, incarnation, lsn, commit_time, published_at, rules)"
        " VALUES ('one that has left', 'x', '0/10', now(), now(), 'old')"
    )
    try:
        figures = shown(pair)
    finally:
        pair.alpha.execute("DELETE FROM kuroshio.reading")
        pair.alpha.execute("DELETE FROM kuroshio.position")
    assert figures[metrics.LINK_STATE.name][origin, "up"] == 1
    assert figures[metrics.LINK_LAG.name][origin,] < 5
    assert figures[metrics.APPLIED_POSITION.name] == {(origin,): 16.0}, "and of nobody who has left"
    assert figures[metrics.APPLY_RECORDED.name][()] <= figures[metrics.CLOCK.name][()] + 1


def test_what_cannot_be_read_in_time_is_said_and_the_rest_is_shown(pair: Pair) -> None:
    with pair.alpha.transaction():
        pair.alpha.execute("LOCK kuroshio.tombstone IN ACCESS EXCLUSIVE MODE")
        begun = time.monotonic()
        figures = shown(pair)
        seconds = time.monotonic() - begun
    assert seconds < STATEMENT_SECONDS + 2
    assert read(figures) == {"site": 1, "links": 1, "verified": 1, "waiting": 0, "volume": 1, "certificates": 1}
    assert metrics.PARKED.name not in figures
    assert metrics.SLOT_RETAINED.name in figures


def test_a_part_that_fails_silences_no_other(pair: Pair) -> None:
    def broken(_: Connection) -> Iterator[Metric]:
        raise TransientError("the broker does not answer")

    parts = {"site": 1, "links": 1, "verified": 1, "waiting": 1, "volume": 1, "certificates": 1}
    assert read(shown(pair, broken=broken)) == {**parts, "broken": 0}


def test_a_session_that_was_ended_is_opened_again(pair: Pair) -> None:
    with closing(exporter(pair)) as collector:
        list(collector.collect())
        pair.alpha.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'kuroshio exporter'"
        )
        list(collector.collect())
        again = dict(map(_samples, collector.collect()))
    assert set(read(again).values()) == {1.0}

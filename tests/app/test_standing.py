"""What the node says of its lines, and the verdict over all of them."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import translation

from crm.node.map import BOX_HEIGHT, HEIGHT, WIDTH, draw_map
from crm.node.standing import since_of, standing_of, worst
from crm.node.verdict import judge
from tests.app.conftest import LogIn
from tests.app.test_report import NOW, SITES, link, view


def test_a_line_is_as_bad_as_its_worse_direction() -> None:
    standing = standing_of("taipei", view(link("taipei", "us", "cut"), link("shanghai", "taipei", "late")))
    assert {line.peer: line.state for line in standing.lines} == {"kaohsiung": "up", "shanghai": "late", "us": "cut"}
    assert [line.peer for line in standing.broken] == ["us"]


def test_a_cut_tells_since_when_and_what_is_not_fresh() -> None:
    since = NOW - timedelta(minutes=23)
    (line,) = standing_of("taipei", view(link("us", "taipei", "cut", known_at=since, applied_commit_time=since))).broken
    assert (line.since, line.fresh_until) == (since, since)


def test_a_stopped_line_is_down_since_it_last_applied() -> None:
    since = NOW - timedelta(hours=2)
    assert since_of(link("us", "taipei", "stopped", behind_since=since)) == since


def test_what_still_arrives_is_not_called_stale() -> None:
    (line,) = standing_of("taipei", view(link("taipei", "us", "cut", behind_since=NOW))).broken
    assert line.fresh_until is None


def test_a_state_without_a_word_counts_as_unknown() -> None:
    assert worst(["up", "sideways"]) == "unknown"
    assert worst([]) == "unknown"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ([], "All lines are up"),
        ([link("us", "taipei", "late")], "All lines are up, some are behind"),
        ([link("us", "shanghai", "unknown")], "Not everything is known here"),
        ([link("us", "taipei", "cut"), link("taipei", "us", "cut")], "One line is down, nothing is lost"),
        ([link("us", "taipei", "cut"), link("us", "shanghai", "stopped")], "2 lines are down, nothing is lost"),
    ],
)
def test_the_verdict_comes_first(changed: list, sentence: str) -> None:  # type: ignore[type-arg]
    with translation.override("en"):
        assert judge(view(*changed)).sentence == sentence


def test_without_replication_the_verdict_says_so() -> None:
    with translation.override("en"):
        assert judge(None).sentence == "Replication is not initialised at this node"


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 9])
def test_the_map_keeps_every_site_on_the_paper(number: int) -> None:
    drawn = draw_map([f"s{place}" for place in range(number)], ())
    assert all(0 <= box.x <= WIDTH and BOX_HEIGHT / 2 <= box.y <= HEIGHT - BOX_HEIGHT / 2 for box in drawn.boxes)


def test_the_two_ways_of_a_line_are_drawn_apart() -> None:
    strokes = draw_map(SITES, view().links).strokes
    assert len(strokes) == 12
    there = next(stroke for stroke in strokes if (stroke.link.origin, stroke.link.reader) == ("taipei", "us"))
    back = next(stroke for stroke in strokes if (stroke.link.origin, stroke.link.reader) == ("us", "taipei"))
    assert abs(there.y1 - back.y1) > 5


def test_every_page_says_that_the_node_is_not_replicated(log_in: LogIn) -> None:
    for name in ("today", "customer_list", "health"):
        text = log_in().get(reverse(name), headers={"accept-encoding": ""}).content.decode()
        assert "Replication is not initialised at this node" in text
        assert "not replicated" in text

"""Status on one screen fits it, and shows first what needs somebody (replication/status/screen.py)."""

import re

import pytest

from replication.status.operator import StatusReport
from replication.status.outlook import Outlook
from replication.status.screen import clip, draw, summary
from replication.status.terminal import link_table
from replication.status.views import LinkView, State

STATES: tuple[State, ...] = ("up", "late", "unknown", "cut", "stopped")
LINKS = tuple(LinkView("us", f"site{n}", state, None, None, n, None, None, None) for n, state in enumerate(STATES))
REPORT = StatusReport({}, {"us": "no route to host"}, LINKS)


def plain(text: str) -> list[str]:
    return re.sub(r"\033\[[\d;]*[A-Za-z]", "", text).splitlines()


@pytest.mark.parametrize(("columns", "rows"), [(20, 6), (80, 9), (200, 60)])
@pytest.mark.parametrize("colour", [True, False])
def test_no_line_is_longer_than_the_terminal_and_no_more_are_drawn_than_it_has(
    columns: int, rows: int, *, colour: bool
) -> None:
    lines = plain(draw(REPORT, columns=columns, rows=rows, colour=colour))
    assert len(lines) <= rows - 1
    assert max(map(len, lines)) <= columns


def test_what_does_not_fit_is_said_to_be_left_out() -> None:
    assert "lines more" in plain(draw(REPORT, columns=80, rows=8, colour=False))[-1]


def test_the_gravest_links_come_first() -> None:
    lines = plain(draw(REPORT, columns=120, rows=60, colour=False))
    shown = [line.split()[3] for line in lines if line.startswith("us -> ")]
    assert shown == ["stopped", "cut", "unknown", "late", "up"]


def test_the_first_line_says_it_all() -> None:
    assert summary(REPORT) == "now: 0 of 1 sites answer; links: 1 up, 1 late, 1 unknown, 1 cut, 1 stopped"


def test_without_colour_there_is_none() -> None:
    assert "\033[3" not in draw(REPORT, columns=80, rows=60, colour=False)


def test_a_line_that_is_cut_ends_its_colours() -> None:
    line = "abc \033[31mcut\033[0m def"
    assert clip(line, 80) == line
    assert clip(line, 9) == "abc \033[31mcut\033[0m d\033[0m"
    assert clip(line, 5) == "abc \033[31mc\033[0m"
    assert clip("no colours", 4) == "no c"


def test_catching_up_is_told_or_said_to_be_unknown() -> None:
    outlooks = {("us", "site1"): Outlook(12.34, 90.0), ("us", "site0"): Outlook(None, None, grows=True)}
    report = StatusReport({}, {}, LINKS, outlooks)
    lines = list(link_table(report, LINKS, colour=False))
    assert [line.split("  ")[-2].strip() for line in lines[1:4]] == ["never so", "90.0 s", "unknown"]
    assert "12.3/s" in lines[2]


def test_the_lag_of_a_link_that_is_unknown_is_not_told_and_its_age_is_that_of_the_database_which_knows_it() -> None:
    known = [LinkView("us", "taipei", state, 5.0, None, 1, None, None, None, known_seconds=30.0) for state in STATES]
    lines = list(link_table(StatusReport({}, {}), known, colour=False))[1:]
    assert ["5.0 s" in line for line in lines] == [state != "unknown" for state in STATES]
    assert all(line.endswith("30.0 s ago") for line in lines)

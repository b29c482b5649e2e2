"""A site whose daemons stand still: the others do not go on showing its last figures as if they were new."""

import os
import signal
import time

import pytest

from deploy.local.programs import DAEMONS
from replication.status import SiteView, local_view
from tests.stack.proof.sites import Sites, until

STOPPED = "us"
STALE_SECONDS = 15.0


def view(sites: Sites, site: str) -> SiteView:
    numbers = {name: one.number for name, one in sites.stack.config.sites.items()}
    return local_view(sites.session(site), numbers)


def links(sites: Sites, site: str) -> dict[tuple[str, str], tuple[str, float]]:
    """Each link with the stopped site as this site sees it: its state, and how old that knowledge is."""
    seen = view(sites, site)
    return {
        (link.origin, link.reader): (
            link.state,
            (seen.now - link.known_at).total_seconds() if link.known_at else float("inf"),
        )
        for link in seen.links
        if STOPPED in (link.origin, link.reader)
    }


def all_up(sites: Sites) -> bool:
    return all(state == "up" for site in sites.names for state, _ in links(sites, site).values())


def test_figures_of_a_site_that_stands_still_tell_their_age_within_fifteen_seconds(sites: Sites) -> None:
    until("every link is up", lambda: all_up(sites), 40, lambda: str(links(sites, "taipei")))
    pids = [sites.stack.kill(f"{STOPPED}-{kind}", signal.SIGSTOP) for kind in DAEMONS]
    began = time.monotonic()
    others = [name for name in sites.names if name != STOPPED]
    try:
        for site in others:
            left = STALE_SECONDS - (time.monotonic() - began)
            until(
                f"{site} shows no link of the stopped site as up",
                lambda: all(state != "up" for state, _ in links(sites, site).values()),  # noqa: B023
                left,
                lambda: str(links(sites, site)),  # noqa: B023
            )
        by_its_word = [(STOPPED, "taipei"), ("taipei", STOPPED), ("shanghai", STOPPED)]
        until("what it said last grows old", lambda: all(links(sites, "taipei")[one][1] > 5 for one in by_its_word), 6)
        assert all(state == "up" for state, _ in healthy(sites).values()), "the other links are as good as before"
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    until("every link is up again", lambda: all_up(sites), 40, lambda: str(links(sites, "taipei")))


def healthy(sites: Sites) -> dict[tuple[str, str], tuple[str, float]]:
    seen = view(sites, "taipei")
    return {(one.origin, one.reader): (one.state, 0.0) for one in seen.links if STOPPED not in (one.origin, one.reader)}


@pytest.mark.parametrize("program", ["capture", "apply"])
def test_one_daemon_that_stands_still_shows_too(sites: Sites, program: str) -> None:
    """Capture stopped: nothing of that site is heard. Apply stopped: what it says of its own reading stands still."""
    until("every link is up", lambda: all_up(sites), 40, lambda: str(links(sites, "taipei")))
    pid = sites.stack.kill(f"{STOPPED}-{program}", signal.SIGSTOP)
    concerned = [(STOPPED, "taipei")] if program == "capture" else [("taipei", STOPPED)]
    try:
        until(
            "the link is shown as not up",
            lambda: all(links(sites, "taipei")[link][0] != "up" for link in concerned),
            STALE_SECONDS + 5,
            lambda: str(links(sites, "taipei")),
        )
    finally:
        os.kill(pid, signal.SIGCONT)

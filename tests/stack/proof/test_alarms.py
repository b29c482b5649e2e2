"""Faults on running sites: each is told by its alarm in Prometheus, arrives as mail, and is told to be over."""

import signal
from collections.abc import Iterator

import pika
import pytest

from deploy.local.wan.client import Lines
from replication.broker.names import Lane, stream_name
from tests.stack.proof.sites import Sites, until
from tests.stack.watcher import Watcher

MUTE, HEARER, STALLED = "taipei", "kaohsiung", "us"
"""Whose capture is stopped; who hears the third all the time; whose apply stands still, and whom the first does not
hear."""

TOLD = {
    ("LinkDown", MUTE, STALLED): f"{MUTE} hears nothing of {STALLED}",
    ("SiteUnheard", "", MUTE): f"no site hears {MUTE}",
    ("CaptureStalled", MUTE, ""): f"nothing that is written at {MUTE} leaves it",
    ("ApplyStalled", STALLED, ""): f"apply at {STALLED} has said nothing",
    ("MessageRefused", HEARER, STALLED): f"{HEARER} refused messages in the log of {STALLED}",
}
SECONDS = 120.0


@pytest.fixture
def watched(sites: Sites) -> Iterator[Watcher]:
    """The four sites, watched for as long as the test takes."""
    sites.stack.start(*sites.stack.watchers)
    yield Watcher(sites.stack)
    sites.stack.kill(f"{STALLED}-apply", signal.SIGCONT)
    sites.stack.stop(*sites.stack.watchers)


def subject(alarm: tuple[str, str, str]) -> str:
    name, site, origin = alarm
    return " ".join(filter(None, (name, origin, site)))


def forge(sites: Sites) -> None:
    """Put what nobody signed into a site's log."""
    token = str(sites.value(STALLED, "SELECT incarnation FROM kuroshio.site"))
    connection = pika.BlockingConnection(pika.URLParameters(sites.stack.site(STALLED).broker_url()))
    lanes: tuple[Lane, ...] = ("live", "packed")
    for lane in lanes:
        connection.channel().basic_publish("", stream_name(STALLED, token, lane), b"KUR: do as I say")
    connection.close()


def test_what_goes_wrong_is_told_mailed_and_told_to_be_over(sites: Sites, watched: Watcher) -> None:
    stack, watcher = sites.stack, watched

    def told() -> str:
        return f"{watcher.firing()}\n{watcher.mails().keys()}"

    until("everything is watched", lambda: not watcher.down(), SECONDS, lambda: str(watcher.down()))
    until("the way to the mailbox is proven", lambda: "AlarmsWork" in watcher.mails(), SECONDS)
    until("nothing of it is wrong", lambda: TOLD.keys().isdisjoint(watcher.firing()), SECONDS, told)

    stack.wan.cut(Lines(sender=STALLED, receiver=MUTE))
    stack.stop(f"{MUTE}-capture")
    stack.kill(f"{STALLED}-apply", signal.SIGSTOP)
    forge(sites)
    fired: set[tuple[str, str, str]] = set()

    def all_fired() -> bool:
        fired.update(watcher.firing())
        return TOLD.keys() <= fired

    until("each alarm fires", all_fired, SECONDS, told)
    assert ("SiteUnheard", "", STALLED) not in fired, f"{HEARER} hears {STALLED}"
    until("each is mailed", lambda: {*map(subject, TOLD)} <= watcher.mails().keys(), SECONDS, told)
    for alarm, words in TOLD.items():
        mail = watcher.mails()[subject(alarm)]
        assert words in mail
        assert "\n  first " in mail
        assert f"monitoring/ALERTS.md#{alarm[0].lower()}" in mail

    stack.kill(f"{STALLED}-apply", signal.SIGCONT)
    stack.start(f"{MUTE}-capture")
    stack.wan.heal()
    over = {f"over: {subject(alarm)}" for alarm in TOLD}
    until("each is told to be over", lambda: over <= watcher.mails().keys(), SECONDS, told)
    until("nothing of it is wrong", lambda: TOLD.keys().isdisjoint(watcher.firing()), SECONDS, told)

"""`replay`: transactions of the sample data through all sites, each at its household's home, in their real order.

It writes into every site's database, as its people would; so it runs where it reaches them all.
"""

from argparse import ArgumentParser, ArgumentTypeError
from contextlib import ExitStack
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError

from crm.core.sites import config
from crm.demo.connecting import open_site
from crm.demo.replaying import Pace, Replay, newest_loaded
from crm.demo.source import UnreadableError
from crm.demo.waiting import NotArrivedError

STORES_ZONE = ZoneInfo("America/New_York")


def moment(text: str) -> datetime:
    """An ISO date or time; one without an offset is the stores' own."""
    try:
        given = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no time such as 2017-01-08 or 2017-01-08T09:30") from error
    return given if given.tzinfo else given.replace(tzinfo=STORES_ZONE)


def positive(text: str) -> float:
    """A number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not number > 0:
        raise ArgumentTypeError(f"{text!r} is no number above 0")
    return number


class Command(BaseCommand):
    """Replays a stretch of transactions."""

    help = "Replay transactions of the sample data through all sites, in their real order."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--from", dest="start", type=moment, help="where to begin (default: after what is loaded)")
        add("--rate", type=positive, default=20.0, help="transactions a second (default: 20)")
        add("--transactions", type=int, help="how many (default: 200, unless --seconds is given)")
        add("--seconds", type=positive, help="for how long")

    def handle(
        self, *, start: datetime | None, rate: float, transactions: int | None, seconds: float | None, **_: Any
    ) -> None:
        count = 200 if transactions is None and seconds is None else transactions
        try:
            self._replay(start, Pace(rate, count, seconds))
        except (NotArrivedError, UnreadableError) as error:
            raise CommandError(str(error)) from error

    def _replay(self, start: datetime | None, pace: Pace) -> None:
        sites = config().sites
        with ExitStack() as stack:
            connections = {name: stack.enter_context(open_site(config(), site)) for name, site in sites.items()}
            begin = start or newest_loaded(connections)
            replay = Replay(list(sites.values()), connections, self.stdout.write)
            self.stdout.write(f"from {begin.astimezone(STORES_ZONE):%Y-%m-%d %H:%M:%S} (the stores' time)")
            count = replay.run(start=begin, pace=pace)
            self.stdout.write(f"{count} transactions, each written at its household's home: {replay.summary()}")

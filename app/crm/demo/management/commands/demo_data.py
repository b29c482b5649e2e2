"""`demo_data`: this site's share of the sample data, into this site's database alone.

Run it once at every site, at all of them at once if you like: a branch's orders wait for the products
and accounts that headquarters writes, and so for replication. What is there stays as it is.
"""

from argparse import ArgumentParser
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from crm.core.sites import config, this_site
from crm.demo.accounts import create_accounts
from crm.demo.connecting import lock_loading, open_site
from crm.demo.homes import headquarters, share_of
from crm.demo.loading import SIZES, Load
from crm.demo.source import UnreadableError
from crm.demo.waiting import NotArrivedError
from crm.environment import secret_file


class Command(BaseCommand):
    """Loads this site's share."""

    help = "Load this site's share of the sample data (the Complete Journey transactions, and made-up people)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--size", choices=sorted(SIZES), default="demo", help="a week's orders, or a year's")

    def handle(self, *, size: str, **_: Any) -> None:
        try:
            self._load(size)
        except (NotArrivedError, UnreadableError) as error:
            raise CommandError(f"{this_site().name}: {error}") from error

    def _load(self, size: str) -> None:
        site, sites = this_site(), config().sites
        with open_site(config(), site) as connection:
            lock_loading(connection)
            load = Load(connection, site, day=_today(), say=self._say)
            if site.name == headquarters(sites.values()).name:
                password = secret_file(config(), "KUROSHIO_DEMO_PASSWORD_FILE", "demo")
                self._say(f"{create_accounts(sites.values(), password)} accounts")
                load.load_products(SIZES[size])
            load.load_companies(SIZES[size])
            load.load_orders(SIZES[size], share_of(site.name, list(sites)))

    def _say(self, text: str) -> None:
        self.stdout.write(f"{this_site().name}: {text}")


def _today() -> date:
    return timezone.now().astimezone(ZoneInfo(this_site().time_zone)).date()

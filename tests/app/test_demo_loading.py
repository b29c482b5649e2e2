"""The sample data in the databases of four sites: who wrote what, exactly, once, and as a replay goes on.

Headquarters' products and accounts are carried to the branches as replication would; nothing else is.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from django.db import connection
from psycopg import Connection, sql

from crm.core.sites import config
from crm.demo import source
from crm.demo.accounts import create_accounts
from crm.demo.baskets import BasketWriter
from crm.demo.homes import home_of, share_of
from crm.demo.keys import key_of
from crm.demo.loading import Load, Size
from crm.demo.replaying import Pace, Replay, newest_loaded
from crm.demo.waiting import NotArrivedError

Sites = Mapping[str, Connection]

SITES = ["taipei", "kaohsiung", "shanghai", "us"]
CARRIED = ["accounts_user", "catalog_product"]
OWN = ["customers_customer", "customers_contact", "activities_activity", "sales_order", "sales_orderline"]
REPLAYED = """
select o.source_ref, o.xmin::text::bigint, array_agg(distinct l.xmin::text::bigint)
from sales_order o join sales_orderline l on l.order_id = o.id
where o.xmin::text::bigint > %s group by 1, 2 order by 2
"""
END = source.BEGIN + timedelta(hours=5)
LATE = END - timedelta(hours=1)
SMALL = Size(end=END, companies=3, catalogue_end=END + timedelta(hours=1))
DAY = date(2026, 11, 22)


@pytest.fixture(scope="module")
def loaded(database: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    """The four sites after each has loaded its share; a module's own copies of the tests' database."""
    connection.close()
    password = tmp_path_factory.mktemp("secrets") / "demo"
    password.touch(mode=0o600)
    password.write_text("a long pass phrase\n")
    with ExitStack() as stack:
        sites = {site: stack.enter_context(_copy(site)) for site in SITES}
        for site in SITES:
            if site == "taipei":
                _create_accounts(password)
            else:
                _carry(sites["taipei"], sites[site])
            _load(sites[site], site)
        yield sites


def _copy(site: str) -> Connection:
    at = {"host": "127.0.0.1", "port": connection.settings_dict["PORT"]}
    with psycopg.connect(**at, user="postgres", dbname="postgres", autocommit=True) as server:
        server.execute(sql.SQL("create database {} template crm owner app").format(sql.Identifier(f"demo_{site}")))
    return psycopg.connect(**at, user="app", dbname=f"demo_{site}", autocommit=True)


def _create_accounts(password: Path) -> None:
    connection.settings_dict["NAME"] = "demo_taipei"
    try:
        assert create_accounts(config().sites.values(), password) == 6
        assert create_accounts(config().sites.values(), password) == 0
    finally:
        connection.close()
        connection.settings_dict["NAME"] = "crm"


def _load(site_connection: Connection, site: str, size: Size = SMALL) -> list[int]:
    load = Load(site_connection, config().sites[site], day=DAY, say=lambda _: None)
    products = [load.load_products(size)] if site == "taipei" else []
    return [*products, load.load_companies(size), load.load_orders(size, share_of(site, SITES))]


def _carry(headquarters: Connection, branch: Connection) -> None:
    for table in CARRIED:
        with (
            headquarters.cursor().copy(f"copy {table} to stdout") as out,
            branch.cursor().copy(f"copy {table} from stdin") as into,
        ):
            for some in out:
                into.write(some)


def _all(sites: Sites, query: str) -> list[tuple[Any, ...]]:
    return [row for one in sites.values() for row in one.execute(query)]


def test_each_row_is_written_at_one_site_only(loaded: Sites) -> None:
    for table in OWN:
        keys = [key for (key,) in _all(loaded, f"select id from {table}")]
        assert keys
        assert len(keys) == len(set(keys))
        assert all(
            one.execute(f"select distinct owner_site from {table}").fetchall() == [(site,)]
            for site, one in loaded.items()
        )


def test_a_branch_writes_no_product_and_no_account(loaded: Sites) -> None:
    for table in CARRIED:
        at = [set(one.execute(f"select id from {table}")) for one in loaded.values()]
        assert at[0]
        assert all(each == at[0] for each in at)


def test_together_the_sites_hold_the_stretch(loaded: Sites) -> None:
    said = list(source.read_baskets(end=END))
    orders = dict(_all(loaded, "select source_ref, owner_site from sales_order"))
    assert orders == {str(basket.ref): home_of(basket.household, SITES) for basket in said}
    lines = _all(loaded, "select count(*) from sales_orderline")
    assert sum(row[0] for row in lines) == sum(len(basket.lines) for basket in said)


def test_money_is_the_datas_to_the_cent(loaded: Sites) -> None:
    names = ["transaction_timestamp", "sales_value", "retail_disc", "coupon_match_disc"]
    table = pq.ParquetFile(source._file("transactions")).read(columns=names)
    nanoseconds = pc.cast(table[names[0]], pa.int64())
    table = table.filter(pc.less(nanoseconds, int(END.timestamp()) * 10**9))
    amount, *discounts = (round(pc.sum(table[name]).as_py() * 100) for name in names[1:])
    rows = _all(loaded, "select sum(amount), sum(discount) from sales_orderline")
    assert sum(row[0] for row in rows) == Decimal(amount).scaleb(-2)
    assert sum(row[1] for row in rows) == Decimal(sum(discounts)).scaleb(-2)


def test_an_orders_totals_are_the_sums_of_its_lines(loaded: Sites) -> None:
    wrong = """
    select o.id from sales_order o join sales_orderline l on l.order_id = o.id group by o.id
    having (o.total, o.discount_total, o.line_count) <> (sum(l.amount), sum(l.discount), count(*))
    """
    assert _all(loaded, wrong) == []
    assert (
        _all(
            loaded, "select id from sales_order o where not exists (select from sales_orderline where order_id = o.id)"
        )
        == []
    )


def test_an_order_has_the_moment_of_its_basket(loaded: Sites) -> None:
    ((moment,),) = _all(loaded, "select ordered_at from sales_order where source_ref = '31198570044'")
    assert moment == datetime(2017, 1, 1, 11, 53, 26, tzinfo=UTC)


def test_loading_again_changes_nothing(loaded: Sites) -> None:
    before = [_digest(one) for one in loaded.values()]
    assert [_load(one, site) for site, one in loaded.items()] == [[0, 0, 0], [0, 0], [0, 0], [0, 0]]
    assert [_digest(one) for one in loaded.values()] == before


def _digest(one: Connection) -> list[tuple[Any, ...] | None]:
    return [one.execute(f"select md5(string_agg(t::text, '' order by id)) from {table} t").fetchone() for table in OWN]


def test_loading_again_leaves_what_people_changed(loaded: Sites) -> None:
    us = loaded["us"]
    with us.transaction(force_rollback=True):
        us.execute("update customers_customer set phone = '+1-212-555-0100', stage = 'lapsed'")
        _load(us, "us", Size(end=END + timedelta(hours=1), companies=3, catalogue_end=END))
        changed = us.execute("select count(*) from customers_customer where stage = 'lapsed'").fetchone()
        assert (
            changed == us.execute("select count(*) from customers_customer where phone = '+1-212-555-0100'").fetchone()
        )


def test_a_load_that_was_broken_off_goes_on(loaded: Sites) -> None:
    us = loaded["us"]
    whole = us.execute("select count(*) from sales_orderline").fetchone()
    with us.transaction(force_rollback=True):
        us.execute(
            "delete from sales_orderline where order_id in (select id from sales_order where ordered_at > %s)", [LATE]
        )
        us.execute("delete from sales_order where ordered_at > %s", [LATE])
        assert _load(us, "us")[1] > 0
        assert us.execute("select count(*) from sales_orderline").fetchone() == whole


def test_a_basket_waits_for_its_products_and_writes_nothing_without_them(loaded: Sites) -> None:
    us = loaded["us"]
    basket = next(source.read_baskets(share_of("us", SITES), start=datetime(2017, 9, 1, tzinfo=UTC)))
    with us.transaction(force_rollback=True):
        us.execute("set constraints all immediate")
        writer = BasketWriter(us, config().sites["us"], patience_seconds=0.2)
        us.execute("delete from catalog_product p where id = %s", [key_of("product", basket.lines[0].product)])
        with pytest.raises(NotArrivedError, match="have not arrived from headquarters"):
            writer.write([basket])
        assert us.execute("select 1 from sales_order where id = %s", [key_of("basket", basket.ref)]).fetchone() is None


def test_a_replay_writes_each_basket_at_home_in_one_transaction_and_in_order(loaded: Sites) -> None:
    begin = newest_loaded(loaded)
    before = {site: _transaction(one) for site, one in loaded.items()}
    replay = Replay([*config().sites.values()], loaded, lambda _: None)
    assert replay.run(start=begin, pace=Pace(per_second=1000, transactions=20)) == 20
    coming = [basket for basket in islice(source.read_baskets(start=begin), 30) if basket.moment > begin][:20]
    for site, one in loaded.items():
        rows = one.execute(REPLAYED, [before[site]]).fetchall()
        assert [ref for ref, *_ in rows] == [str(b.ref) for b in coming if home_of(b.household, SITES) == site]
        assert all(lines == [order] for _, order, lines in rows)
        assert replay.done[site] == len({order for _, order, _ in rows}) == len(rows)


def _transaction(one: Connection) -> int:
    ((number,),) = one.execute("select pg_current_xact_id()::text::bigint")
    return int(number)


def test_a_replay_provides_products_at_headquarters(loaded: Sites) -> None:
    start = datetime(2017, 9, 1, tzinfo=UTC)
    taipei = {"taipei": loaded["taipei"]}
    with loaded["taipei"].transaction(force_rollback=True):
        before = _all(taipei, "select count(*) from catalog_product")
        only = [config().sites["taipei"]]
        assert Replay(only, taipei, lambda _: None).run(start=start, pace=Pace(per_second=1000, transactions=3)) == 3
        assert _all(taipei, "select count(*) from catalog_product") > before


def test_a_replay_ends_after_its_seconds(loaded: Sites) -> None:
    with loaded["taipei"].transaction(force_rollback=True):
        replay = Replay([config().sites["taipei"]], {"taipei": loaded["taipei"]}, lambda _: None)
        assert replay.run(start=END, pace=Pace(per_second=5, transactions=20, seconds=0.5)) < 10

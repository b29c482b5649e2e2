"""Orders: totals that are always the sums of their lines, at the site that owns them."""

import uuid
from decimal import Decimal

import pytest
from django.urls import reverse

from crm.sales.models import Order, OrderLine
from crm.sales.services import NotHereError, add_line, order_number, remove_line
from tests.app.conftest import LogIn
from tests.app.make import make_customer, make_order, make_product


def line_of(order: Order, quantity: str = "3", price: str = "12.505") -> OrderLine:
    return add_line(
        key=uuid.uuid4(), order=order.pk, product=make_product(), quantity=Decimal(quantity), unit_price=Decimal(price)
    )


@pytest.mark.usefixtures("db")
def test_a_total_is_the_sum_of_its_lines() -> None:
    order = make_order(make_customer())
    first = line_of(order)
    line_of(order, "1", "2")
    order.refresh_from_db()
    assert (order.total, order.line_count) == (Decimal("39.52"), 2)
    remove_line(key=first.pk, order=order.pk)
    order.refresh_from_db()
    assert (order.total, order.line_count) == (Decimal("2.00"), 1)


@pytest.mark.usefixtures("db")
def test_a_line_sent_twice_is_one_line() -> None:
    order, key, product = make_order(make_customer()), uuid.uuid4(), make_product()
    for _ in range(2):
        add_line(key=key, order=order.pk, product=product, quantity=Decimal(1), unit_price=Decimal(5))
    order.refresh_from_db()
    assert (order.total, order.lines.count()) == (Decimal(5), 1)


@pytest.mark.usefixtures("db")
def test_another_sites_order_is_not_written_here() -> None:
    order = make_order(make_customer(), owner_site="us")
    with pytest.raises(NotHereError):
        line_of(order)


def test_another_sites_order_says_where_it_is_changed(log_in: LogIn) -> None:
    order = make_order(make_customer(), owner_site="us")
    page = log_in().get(reverse("order_edit", args=[order.pk]), follow=True, headers={"accept-encoding": ""})
    assert "belongs to United States" in page.content.decode()


def test_a_line_is_edited_with_the_total(log_in: LogIn) -> None:
    from crm.sales.forms import LineForm

    order = make_order(make_customer())
    line = line_of(order)
    version = LineForm.to_edit(line).initial["version"]
    sent = {"version": version, "quantity": "10", "unit_price": "12.505", "discount": "5.05"}
    assert log_in().post(reverse("line_edit", args=[line.pk]), sent).status_code == 303
    order.refresh_from_db()
    assert (order.total, order.discount_total) == (Decimal("120.00"), Decimal("5.05"))


def test_a_discount_is_not_more_than_the_price(log_in: LogIn) -> None:
    from crm.sales.forms import LineForm

    line = line_of(make_order(make_customer()))
    sent = {"version": LineForm.to_edit(line).initial["version"], "quantity": "1", "unit_price": "1", "discount": "2"}
    assert log_in().post(reverse("line_edit", args=[line.pk]), sent).status_code == 422


def test_a_product_is_suggested_by_name_or_code(log_in: LogIn) -> None:
    order, product = make_order(make_customer()), make_product(name="T 型扳手", code="A-77")
    for typed in ("扳手", "a-77", "rat"):
        page = log_in().get(
            reverse("line_suggestions", args=[order.pk]), {"product": typed}, headers={"accept-encoding": ""}
        )
        assert str(product.pk) in page.content.decode(), typed


def test_the_lines_of_a_long_order_are_shown_in_pages(log_in: LogIn) -> None:
    order = make_order(make_customer())
    lines = {str(line_of(order).pk) for _ in range(70)}
    client, address = log_in(), reverse("order_detail", args=[order.pk])
    first = client.get(address, headers={"accept-encoding": ""})
    mark = first.context["page"].next_mark
    rest = client.get(address, {"after": mark}, headers={"accept-encoding": "", "hx-target": "more"})
    text = first.content.decode() + rest.content.decode()
    assert all(line in text for line in lines)


def test_two_sites_do_not_give_out_one_number() -> None:
    key = uuid.uuid4()
    assert order_number(site="taipei", key=key) != order_number(site="us", key=key)

"""How many times a page asks the database: the number is expected, so that one more is noticed.

Two of them are the session and the person. What the status facade of replication asks is not Django's and not
counted here.
"""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.app.conftest import LogIn
from tests.app.make import make_contact, make_customer, make_order, make_product
from tests.app.test_orders import line_of

EXPECTED = {
    "today": 7,
    "customer_list": 4,
    "customer_detail": 10,
    "customer_edit": 4,
    "activity_list": 3,
    "order_list": 4,
    "order_detail": 4,
    "product_list": 5,
    "product_detail": 3,
    "global_report": 5,
    "health": 2,
}


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("more", [1, 6])
def test_a_page_asks_as_often_as_expected_however_much_there_is(log_in: LogIn, name: str, more: int) -> None:
    customer = make_customer()
    order = make_order(customer)
    for _ in range(more):
        make_customer()
        make_contact(customer)
        make_order(customer)
        make_product()
        line_of(order)
    keys = {"customer_detail": customer.pk, "customer_edit": customer.pk, "order_detail": order.pk}
    keys["product_detail"] = order.lines.values_list("product_id", flat=True)[0]
    client = log_in("hq")
    address = reverse(name, args=[keys[name]] if name in keys else [])
    client.get(address)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert client.get(address).status_code == 200
    assert len(asked) == EXPECTED[name], "\n".join(query["sql"] for query in asked.captured_queries)

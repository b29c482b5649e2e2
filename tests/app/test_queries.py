"""How many times a page asks the database: the number is expected, so that one more is noticed.

Two of them are the session and the person. What the status facade of replication asks is not Django's and not
counted here.
"""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from crm.history.models import Edit
from crm.reviews.selectors import Asked, get_page
from tests.app.conftest import LogIn
from tests.app.kuroshio import NOW, claim, conflict, fallen, marked, replicated, take_away
from tests.app.make import make_contact, make_customer, make_order, make_product, make_user
from tests.app.test_orders import line_of

EXPECTED = {
    "today": 8,
    "customer_list": 4,
    "customer_detail": 10,
    "customer_edit": 4,
    "customer_history": 4,
    "activity_list": 3,
    "order_list": 4,
    "order_detail": 4,
    "product_list": 5,
    "product_detail": 3,
    "global_report": 5,
    "health": 2,
    "account_edit": 3,
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
    keys = dict.fromkeys(("customer_detail", "customer_edit", "customer_history"), customer.pk)
    keys["order_detail"] = order.pk
    keys["account_edit"] = make_user().pk
    keys["product_detail"] = order.lines.values_list("product_id", flat=True)[0]
    client = log_in("hq")
    address = reverse(name, args=[keys[name]] if name in keys else [])
    client.get(address)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert client.get(address).status_code == 200
    assert len(asked) == EXPECTED[name], "\n".join(query["sql"] for query in asked.captured_queries)


# With conflicts of customers and orders: their records, who edited these, and what was answered.
WITH_CONFLICTS = {
    "today": 12,
    "customer_detail": 13,
    "conflict_list": 6,
    "conflict_detail": 6,
    "conflict_answer": 7,
}


@pytest.mark.parametrize("name", WITH_CONFLICTS)
@pytest.mark.parametrize("more", [1, 6])
def test_conflicts_are_asked_for_together_however_many_there_are(log_in: LogIn, name: str, more: int) -> None:
    customer, loser = make_customer(), make_user(role="hq")
    client = log_in("hq")
    client.force_login(loser)
    with replicated():
        for number in range(more):
            lost_at = NOW - timedelta(minutes=number + 1)
            other, order = make_customer(keeper=make_user()), make_order(customer)
            edits = [
                Edit(table="", record=row.pk, columns=["name"], person=loser, owner_site="us", created_at=lost_at)
                for row in (customer, other)
            ]
            Edit.objects.bulk_create(edits)
            key = conflict(customer, "name", holds="甲", lost=f"{number}", lost_at=lost_at)
            conflict(other, "name", holds="甲", lost="乙", lost_at=lost_at)
            conflict(order, "status", holds="done", lost="draft", lost_at=lost_at)
        keys = {"customer_detail": customer.pk, "conflict_detail": key}
        address = reverse(name, args=[keys[name]] if name in keys else [])
        ids = [str(each.conflict.id) for each in get_page(Asked(), mark="").rows]
        client.get(address, {"id": ids})
        with CaptureQueriesContext(connection) as asked:
            assert client.get(address, {"id": ids}).status_code == 200
    assert len(asked) == WITH_CONFLICTS[name], "\n".join(query["sql"] for query in asked.captured_queries)


# With claims on log-in names and contacts that fell with their customers: the holders and the parents, too.
WITH_CLAIMS = {
    "today": 15,
    "conflict_list": 8,
    "conflict_detail": 7,
    "conflict_answer": 9,
}


@pytest.mark.parametrize("name", WITH_CLAIMS)
@pytest.mark.parametrize("more", [1, 6])
def test_claims_and_falls_are_asked_for_together_however_many_there_are(log_in: LogIn, name: str, more: int) -> None:
    client, author = log_in("hq"), make_user(role="hq")
    client.force_login(author)
    with replicated():
        ids = []
        for number in range(more):
            make_user(username=f"chen{number}")
            waiting = make_user()
            marked(waiting, "username", f"chen{number}")
            contact = make_contact(make_customer())
            for row in (waiting, contact):
                Edit.objects.create(table="", record=row.pk, person=author, owner_site="us", created_at=NOW)
            ids += [str(claim(waiting, "username", f"chen{number}")), str(fallen(contact, "customer_id", lost_at=NOW))]
            take_away(contact, "fallen")
            take_away(contact.customer)
        address = reverse(name, args=[ids[0]] if name == "conflict_detail" else [])
        client.get(address, {"id": ids})
        with CaptureQueriesContext(connection) as asked:
            assert client.get(address, {"id": ids}).status_code == 200
    assert len(asked) == WITH_CLAIMS[name], "\n".join(query["sql"] for query in asked.captured_queries)

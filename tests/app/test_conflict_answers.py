"""Answers to conflicts: each closes its conflict once for all sites, and writes as an ordinary edit."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.urls import reverse

from crm.customers.models import Customer
from crm.history.models import Edit
from crm.reviews import selectors, services
from crm.reviews.models import Decision, Settlement
from crm.sales.models import Order
from replication.status import conflict_id
from tests.app.conftest import LogIn
from tests.app.kuroshio import NOW, conflict, moment
from tests.app.make import make_customer, make_order, make_product, make_user
from tests.app.reviewing import answer, filled, listed, page, question_of

pytestmark = pytest.mark.usefixtures("conflicts")


def test_accepting_closes_it_and_leaves_the_record_alone(log_in: LogIn) -> None:
    customer = make_customer(name="甲公司")
    key = conflict(customer, "name", holds="甲公司", lost="乙公司")
    before = customer.updated_at
    assert answer(log_in(display_name="林怡君"), key).status_code == 303
    customer.refresh_from_db()
    assert (customer.name, customer.updated_at) == ("甲公司", before)
    settlement = Settlement.objects.get()
    assert (settlement.pk, settlement.decision, settlement.owner_site) == (key, "accept", "taipei")
    assert settlement.person.display_name == "林怡君"
    assert listed(state="open") == []
    assert selectors.get_entries([key])[0].settlement == settlement


def test_choosing_the_other_is_an_ordinary_edit_by_that_person(log_in: LogIn) -> None:
    customer = make_customer(name="甲公司", phone="1", tax_id="2")
    key = conflict(customer, "name", holds="甲公司", lost="乙公司")
    assert answer(log_in(display_name="林怡君"), key, decision="other").status_code == 303
    customer.refresh_from_db()
    assert (customer.name, customer.phone, customer.tax_id) == ("乙公司", "1", "2")
    assert "乙公司" in customer.search_text
    (edit,) = Edit.objects.filter(record=customer.pk)
    assert (edit.columns, edit.person.display_name) == (["name"], "林怡君")
    assert Settlement.objects.get().decision == "other"


def test_writing_something_else_goes_through_the_records_own_form(log_in: LogIn) -> None:
    customer = make_customer(name="甲公司")
    key = conflict(customer, "name", holds="甲公司", lost="乙公司")
    client = log_in()
    refused = answer(client, key, decision="edit", name="")
    assert refused.status_code == 409
    assert refused.context["questions"][0].faults == ["This field is required."]
    assert Settlement.objects.count() == 0
    assert answer(client, key, decision="edit", name="丙公司").status_code == 303
    customer.refresh_from_db()
    assert (customer.name, Settlement.objects.get().decision) == ("丙公司", "edit")


def test_many_are_answered_at_once(log_in: LogIn) -> None:
    customers = [make_customer(name=f"甲{number}") for number in range(5)]
    keys = [conflict(each, "name", holds=each.name, lost=f"乙{number}") for number, each in enumerate(customers)]
    client = log_in()
    assert answer(client, *keys, decision="other").status_code == 303
    assert {each.name for each in Customer.objects.all()} == {f"乙{number}" for number in range(5)}
    assert "5 questions are answered." in page(client, "conflict_list")


def test_more_than_a_page_holds_stay_open(log_in: LogIn) -> None:
    keys = [conflict(make_customer(name="甲"), "name", holds="甲", lost="乙") for _ in range(22)]
    assert answer(log_in(), *keys).status_code == 303
    assert len(listed(state="open")) == 2


def test_columns_that_travel_together_are_one_question(log_in: LogIn) -> None:
    customer = make_customer(credit_limit=Decimal(5000), credit_currency="TWD")
    amount = conflict(customer, "credit_limit", holds="5000.00", lost="900.00", rule="site")
    currency = conflict(customer, "credit_currency", holds="TWD", lost="USD", rule="site")
    assert answer(log_in("hq"), amount, decision="other").status_code == 303
    customer.refresh_from_db()
    assert (customer.credit_limit, customer.credit_currency) == (Decimal(900), "USD")
    assert set(Settlement.objects.values_list("pk", flat=True)) == {amount, currency}


def test_three_versions_are_one_question_and_every_pair_of_them_is_closed(log_in: LogIn) -> None:
    customer = make_customer(name="丙")
    at = {site: NOW - timedelta(minutes=minutes) for site, minutes in (("us", 2), ("shanghai", 1), ("taipei", 0))}
    here: dict[str, Any] = {"won_at": at["shanghai"], "lost_at": at["us"], "by": ("shanghai", "us")}
    one = conflict(customer, "name", holds="乙", lost="甲", **here)
    two = conflict(
        customer, "name", holds="丙", lost="乙", won_at=at["taipei"], lost_at=at["shanghai"], by=("taipei", "shanghai")
    )
    user = make_user()
    question = question_of(one, user)
    assert {choice.told["name"] for choice in question.lost} == {"甲", "乙"}
    client = log_in()
    sent = {"id": [str(one), str(two)], f"{question.prefix}-version": question.version}
    chosen = next(choice.value for choice in question.lost if choice.told["name"] == "甲")
    assert client.post(reverse("conflict_answer"), sent | {f"{question.prefix}-decision": chosen}).status_code == 303
    customer.refresh_from_db()
    assert customer.name == "甲"
    elsewhere = conflict_id(
        "public.customers_customer", [str(customer.pk)], "name", moment("taipei", at["taipei"]), moment("us", at["us"])
    )
    assert set(Settlement.objects.values_list("pk", flat=True)) == {one, two, elsewhere}


def test_taking_the_other_of_three_asks_which(log_in: LogIn) -> None:
    customer = make_customer(name="丙")
    conflict(customer, "name", holds="丙", lost="乙")
    key = conflict(customer, "name", holds="丙", lost="甲", lost_at=NOW - timedelta(minutes=9))
    refused = answer(log_in(), key, decision="other")
    assert refused.status_code == 409
    assert Settlement.objects.count() == 0


# --- what may not be overwritten, and by whom


def test_a_record_that_changed_while_one_looked_is_asked_about_again(log_in: LogIn) -> None:
    customer = make_customer(name="甲公司")
    key = conflict(customer, "name", holds="甲公司", lost="乙公司")
    client = log_in()
    question = question_of(key, make_user())
    sent = {
        "id": [str(key)],
        f"{question.prefix}-version": question.version,
        f"{question.prefix}-decision": question.lost[0].value,
    }
    Customer.objects.filter(pk=customer.pk).update(name="丙公司")
    again = client.post(reverse("conflict_answer"), sent)
    assert again.status_code == 409
    (shown,) = again.context["questions"]
    assert shown.question.present.told == {"name": "丙公司"}
    assert "Nothing is saved" in shown.faults[0]
    customer.refresh_from_db()
    assert (customer.name, Settlement.objects.count()) == ("丙公司", 0)


def test_what_others_changed_in_other_fields_is_kept(log_in: LogIn) -> None:
    customer = make_customer(name="甲公司", phone="1")
    key = conflict(customer, "name", holds="甲公司", lost="乙公司")
    question = question_of(key, make_user())
    form = filled(question)
    Customer.objects.filter(pk=customer.pk).update(phone="2")
    services.settle(question, decision=Decision.OTHER, seen=question.version, form=form)
    customer.refresh_from_db()
    assert (customer.name, customer.phone) == ("乙公司", "2")


def test_who_answers_second_is_told_and_changes_nothing(log_in: LogIn) -> None:
    customer = make_customer(name="甲公司")
    key = conflict(customer, "name", holds="甲公司", lost="乙公司")
    question = question_of(key, make_user())
    form = filled(question)
    assert answer(log_in(), key).status_code == 303
    with pytest.raises(services.AnsweredError):
        services.settle(question, decision=Decision.OTHER, seen=question.version, form=form)
    client = log_in()
    client.post(reverse("conflict_answer"), {"id": [str(key)]})
    assert "had answered already" in page(client, "conflict_list")
    customer.refresh_from_db()
    assert customer.name == "甲公司"


Barred = tuple[str, Callable[[], UUID], str]
BARRED: list[Barred] = [
    ("ops", lambda: conflict(make_customer(), "name", holds="甲", lost="乙"), "Your role does not change this"),
    (
        "staff",
        lambda: conflict(make_product(), "list_price", holds="1.00", lost="2.00"),
        "Your role does not change this",
    ),
    ("staff", lambda: conflict(make_customer(), "credit_limit", holds="1.00", lost="2.00"), "Headquarters can answer"),
    (
        "hq",
        lambda: conflict(make_order(make_customer(), owner_site="us"), "status", holds="done", lost="draft"),
        "is changed and answered there",
    ),
]


@pytest.mark.parametrize(("role", "make", "told"), BARRED)
@pytest.mark.parametrize("decision", ["accept", "other"])
def test_only_who_may_edit_the_record_may_answer(
    log_in: LogIn, role: str, make: Callable[[], UUID], told: str, decision: str
) -> None:
    key = make()
    client = log_in(role)
    text = page(client, "conflict_detail", key)
    assert told in text
    assert 'type="radio"' not in text
    assert 'type="checkbox" name="id"' not in page(client, "conflict_list")
    assert answer(client, key, decision=decision).status_code == 409
    assert Settlement.objects.count() == 0


def test_an_order_is_answered_at_its_own_site(log_in: LogIn) -> None:
    order = make_order(make_customer(), status="done")
    key = conflict(order, "status", holds="done", lost="shipped", rule="owner")
    assert answer(log_in(), key, decision="other").status_code == 303
    assert Order.objects.get().status == "shipped"

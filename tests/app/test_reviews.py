"""Conflicts for people: listed, shown side by side, answered once for all sites."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from crm.accounts.models import User
from crm.core.models import Replicated
from crm.customers.models import Customer
from crm.history.models import Edit
from crm.reviews import selectors, services
from crm.reviews.models import Decision, Settlement
from crm.reviews.questions import Question, gather
from crm.reviews.words import rule_choices, why
from crm.sales.models import Order
from replication.status import conflict_id
from tests.app.conftest import LogIn
from tests.app.kuroshio import NOW, conflict, moment, replicated
from tests.app.make import make_contact, make_customer, make_order, make_product, make_user

PLAIN = {"accept-encoding": ""}


@pytest.fixture(autouse=True)
def conflicts(db: None) -> Iterator[None]:
    with replicated():
        yield


def page(client: Client, name: str, *keys: object, **asked: str) -> str:
    response = client.get(reverse(name, args=keys), asked, headers=PLAIN)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode())


def edited(row: Replicated, person: User, *columns: str, site: str, at: Any) -> None:
    table = row._meta.db_table
    Edit.objects.create(
        table=table, record=row.pk, columns=list(columns), person=person, owner_site=site, created_at=at
    )


def listed(**asked: str) -> list[UUID]:
    return [entry.conflict.id for entry in selectors.get_page(selectors.Asked(**asked), mark="").rows]


def question_of(key: UUID, user: User) -> Question:
    (question,) = gather(selectors.get_with_mates([key]), user)
    return question


def answer(client: Client, *keys: UUID, decision: str = "accept", **typed: str) -> Any:
    """Open the questions as a person does, choose, and send the form."""
    asked = {"id": [str(key) for key in keys], "decision": decision}
    shown = client.get(reverse("conflict_answer"), asked).context["questions"]
    sent: dict[str, Any] = {"id": [str(e.conflict.id) for each in shown for e in each.question.entries]}
    for each in shown:
        prefix = each.question.prefix
        sent |= {f"{prefix}-decision": each.chosen, f"{prefix}-version": each.question.version}
        sent |= {f"{prefix}-{name}": value for name, value in typed.items()}
    return client.post(reverse("conflict_answer"), sent)


# --- what is listed


def test_a_conflict_is_told_in_a_persons_words(log_in: LogIn) -> None:
    customer = make_customer(name="寧波誠意機械", stage="repeat")
    conflict(customer, "stage", holds="repeat", lost="lapsed")
    text = page(log_in(), "conflict_list")
    assert "寧波誠意機械" in text
    assert "Repeat customer" in text
    assert "Lapsed" in text
    assert "Later edit" in text


def test_columns_that_nobody_types_are_not_listed() -> None:
    customer = make_customer()
    conflict(customer, "search_text", holds="a", lost="b")
    conflict(customer, "updated_at", holds="2026-11-22 06:00:00+00", lost="2026-11-22 05:00:00+00")
    assert listed() == []


def test_open_ones_come_first() -> None:
    customer = make_customer()
    asked = conflict(customer, "name", holds="甲", lost="乙", recorded_at=NOW)
    quiet = conflict(customer, "phone", holds="1", lost="2", recorded_at=NOW + timedelta(hours=1))
    assert listed() == [asked, quiet]
    assert (listed(state="open"), listed(state="closed")) == ([asked], [quiet])


def test_the_list_is_narrowed_by_what_people_ask_for() -> None:
    customer, other = make_customer(name="寧波誠意機械"), make_customer(name="高雄港務")
    contact, now = make_contact(other), timezone.now()
    long_ago = now - timedelta(days=10)
    by_name = conflict(customer, "name", holds="甲", lost="乙", by=("taipei", "us"), recorded_at=now)
    by_job = conflict(
        contact, "job", holds="甲", lost="乙", by=("kaohsiung", "taipei"), rule="owner", recorded_at=long_ago
    )
    assert (listed(kind="customers"), listed(kind="contacts"), listed(kind="orders")) == ([by_name], [by_job], [])
    assert (listed(site="us"), listed(site="kaohsiung"), listed(site="nowhere")) == ([by_name], [by_job], [])
    assert (listed(rule="latest"), listed(rule="owner")) == ([by_name], [by_job])
    assert listed(typed="诚意") == [by_name]
    assert listed(customer=str(other.pk)) == [by_job]
    assert listed(customer=str(uuid4())) == []
    assert listed(customer="x") == []
    assert (listed(age="1"), listed(age="7"), listed(age="-7")) == ([by_name], [by_name], [by_job])
    assert set(listed(age="30")) == set(listed(age="whatever")) == {by_name, by_job}


def test_a_long_list_is_shown_page_by_page(log_in: LogIn) -> None:
    keys = {
        conflict(make_customer(), ("name", "phone")[number % 2], holds="甲", lost=f"{number}") for number in range(30)
    }
    client = log_in()
    first = client.get(reverse("conflict_list"))
    mark = first.context["page"].next_mark
    rest = client.get(reverse("conflict_list"), {"after": mark}, headers={"HX-Target": "more"})
    shown = [row[0].conflict.id for context in (first, rest) for row in context.context["rows"]]
    assert len(shown) == 30
    assert set(shown) == keys


def test_the_menu_says_how_many_are_open(log_in: LogIn) -> None:
    customer = make_customer()
    client = log_in()
    assert '<b class="tag w">' not in page(client, "today")
    cache.clear()
    key = conflict(customer, "name", holds="甲", lost="乙")
    conflict(customer, "phone", holds="1", lost="2")
    assert '<b class="tag w">1</b>' in page(client, "today")
    Settlement.objects.create(pk=key, person=make_user(), decision=Decision.ACCEPT, owner_site="us")
    cache.clear()
    assert '<b class="tag w">' not in page(client, "today")


# --- one of them


def test_both_sides_say_who_wrote_them_where_and_when_in_the_readers_zone(log_in: LogIn) -> None:
    customer = make_customer(name="甲公司")
    li, wang = make_user(display_name="李伟", name_lang="zh-Hans"), make_user(display_name="王志明")
    edited(customer, wang, "name", site="taipei", at=NOW)
    edited(customer, li, "name", "phone", site="us", at=NOW - timedelta(minutes=3))
    key = conflict(customer, "name", holds="甲公司", lost="乙公司")
    text = page(log_in(time_zone="America/New_York"), "conflict_detail", key)
    assert "甲公司" in text
    assert "乙公司" in text
    assert '<span lang="zh-Hans">李伟</span>' in text
    assert "王志明" in text
    assert "01:00" in text  # 06:00 UTC
    assert "00:57" in text
    assert "The later edit holds: Taipei wrote 3 min after" in text


def test_what_the_record_holds_by_now_is_shown_beside_them(log_in: LogIn) -> None:
    customer = make_customer(name="丙公司")
    key = conflict(customer, "name", holds="甲公司", lost="乙公司")
    text = page(log_in(), "conflict_detail", key)
    assert "Holds now, changed since" in text
    assert all(name in text for name in ("甲公司", "乙公司", "丙公司"))


@pytest.mark.parametrize("key", [uuid4(), "00000000-0000-0000-0000-000000000000"])
def test_what_is_no_conflict_is_not_found(log_in: LogIn, key: object) -> None:
    assert log_in().get(reverse("conflict_detail", args=[key])).status_code == 404


def test_a_record_that_is_gone_can_still_be_left_alone(log_in: LogIn) -> None:
    customer = make_customer()
    key = conflict(customer, "name", holds="甲", lost="乙")
    Customer.objects.filter(pk=customer.pk).delete()
    client = log_in()
    text = page(client, "conflict_detail", key)
    assert "not here any more" in text
    assert 'value="edit"' not in text
    assert answer(client, key).status_code == 303
    assert listed(state="open") == []


def test_a_deletion_is_told_as_one(log_in: LogIn) -> None:
    line_less = make_order(make_customer())
    key = conflict(
        line_less, "", holds=None, lost=None, type="update_deleted", resolution="keep_local", rule="delete = stamp"
    )
    text = page(log_in(), "conflict_detail", key)
    assert "deleted in Taipei while" in text
    assert "nobody is asked" in text


WHY: list[tuple[dict[str, Any], str]] = [
    ({"rule": "latest"}, "later edit holds"),
    ({"rule": "latest", "lost_at": NOW + timedelta(hours=1)}, "value of Taipei holds"),
    ({"rule": "site"}, "What Taipei says of this beats"),
    ({"rule": "site", "by": ("us", "shanghai")}, "later edit holds"),
    ({"rule": "owner"}, "belongs to Taipei"),
    ({"rule": "owner", "by": ("us", "taipei")}, "later edit holds"),
    ({"rule": "greatest"}, "greatest value"),
    ({"rule": "something new"}, "“something new” decided"),
]


@pytest.mark.parametrize(("more", "told"), WHY)
def test_each_rule_says_why_in_plain_words(more: dict[str, Any], told: str) -> None:
    column = "credit_limit" if more["rule"] == "site" else "phone"
    key = conflict(make_customer(), column, holds="1", lost="2", **more)
    with translation.override("en"):
        assert told in why(selectors.get_entries([key])[0])


def test_every_rule_that_the_configuration_names_can_be_filtered_by() -> None:
    with translation.override("en"):
        assert dict(rule_choices()) == {
            "latest": "Later edit",
            "site": "One site's word",
            "owner": "Owning site's word",
            "delete = stamp": "Later of edit and deletion",
        }


def test_values_are_told_as_the_forms_tell_them() -> None:
    keeper = make_user(display_name="林怡君")
    customer = make_customer(keeper=keeper)
    product, order = make_product(), make_order(customer)
    keys = [
        conflict(customer, "keeper_id", holds=str(keeper.pk), lost=None),
        conflict(customer, "credit_limit", holds="5000.00", lost="1e"),
        conflict(product, "is_active", holds="t", lost="f"),
        conflict(order, "ordered_at", holds="2026-11-22 06:00:00+00", lost="2026-01-02 03:04:05.678+00"),
    ]
    with translation.override("en"), timezone.override("Asia/Taipei"):
        entries = {entry.conflict.id: entry for entry in selectors.get_entries(keys)}
        told = [(entries[key].winner.value, entries[key].loser.value) for key in keys]
    assert told[:3] == [("林怡君", "–"), ("5,000", "1e"), ("yes", "no")]
    assert told[3][0].endswith("14:00")
    assert told[3][1].endswith("11:04")


# --- answers


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
    form = question.fill(question.sent_by(question.lost[0]))
    assert form.is_valid()
    Customer.objects.filter(pk=customer.pk).update(phone="2")
    services.settle(question, decision=Decision.OTHER, seen=question.version, form=form)
    customer.refresh_from_db()
    assert (customer.name, customer.phone) == ("乙公司", "2")


def test_who_answers_second_is_told_and_changes_nothing(log_in: LogIn) -> None:
    customer = make_customer(name="甲公司")
    key = conflict(customer, "name", holds="甲公司", lost="乙公司")
    question = question_of(key, make_user())
    form = question.fill(question.sent_by(question.lost[0]))
    assert form.is_valid()
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


# --- whose value lost


def test_whose_edit_lost_is_told_on_the_start_page_until_it_is_seen(log_in: LogIn) -> None:
    customer = make_customer(name="甲公司")
    client = log_in()
    loser = make_user()
    client.force_login(loser)
    edited(customer, loser, "phone", site="us", at=NOW - timedelta(minutes=3))
    key = conflict(customer, "phone", holds="1", lost="2")
    told = page(client, "today")
    assert "Changes of yours that did not hold" in told
    assert reverse("conflict_detail", args=[key]) in told
    page(client, "conflict_detail", key)
    assert "did not hold" not in page(client, "today")
    page(client, "conflict_detail", key)


def test_nobody_else_is_told(log_in: LogIn) -> None:
    customer = make_customer()
    winner, reader = make_user(), make_user()
    edited(customer, make_user(), "phone", site="us", at=NOW - timedelta(minutes=3))
    edited(customer, winner, "phone", site="taipei", at=NOW)
    edited(customer, reader, "name", site="us", at=NOW - timedelta(minutes=3))
    conflict(customer, "phone", holds="1", lost="2")
    client = log_in()
    for user in (winner, reader):
        client.force_login(user)
        assert "did not hold" not in page(client, "today")


def test_the_customers_page_says_that_somebody_is_asked(log_in: LogIn) -> None:
    customer = make_customer()
    key = conflict(customer, "tax_id", holds="1", lost="2")
    conflict(customer, "phone", holds="1", lost="2")
    client = log_in()
    text = page(client, "customer_detail", customer.pk)
    assert f'href="{reverse("conflict_detail", args=[key])}">Tax number</a>' in text
    answer(client, key)
    assert "without knowing of each other" not in page(client, "customer_detail", customer.pk)

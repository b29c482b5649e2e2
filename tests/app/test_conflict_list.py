"""Conflicts for people: which are listed, in which order, and who is told of them."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from crm.customers.models import Customer
from crm.reviews.models import Decision, Settlement
from tests.app.conftest import LogIn
from tests.app.kuroshio import NOW, conflict, take_away
from tests.app.make import make_contact, make_customer, make_user
from tests.app.reviewing import answer, edited, listed, page

pytestmark = pytest.mark.usefixtures("conflicts")


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


GONE = {
    "en": "You changed it, Taipei deleted it without knowing of that: it is gone.",
    "zh-hant": "您修改了它，台北在不知情之下刪除了它：它已不在了。",
    "zh-hans": "您修改了它，台北在不知情的情况下删除了它：它已不在了。",
}


def lost_with(customer: Customer, **how: Any) -> UUID:
    """Somebody in the US changed it, while Taipei deleted it; or the other way round."""
    return conflict(customer, "", holds=None, lost=None, rule="delete = stamp", **how)


@pytest.mark.parametrize("language", GONE)
@pytest.mark.parametrize(("met", "done"), [("delete_origin_differs", "apply_remote"), ("update_deleted", "keep_local")])
def test_whose_edit_went_with_the_record_is_told_until_it_is_seen(
    log_in: LogIn, language: str, met: str, done: str
) -> None:
    customer, loser = make_customer(name="甲公司"), make_user(language=language)
    client = log_in()
    client.force_login(loser)
    edited(customer, loser, "phone", site="us", at=NOW - timedelta(minutes=3))
    key = lost_with(customer, type=met, resolution=done)
    take_away(customer)
    told = page(client, "today")
    assert GONE[language] in told
    assert "甲公司" in told
    page(client, "conflict_detail", key)
    assert GONE[language] not in page(client, "today")


def test_whose_record_stayed_or_who_deleted_it_is_not_told(log_in: LogIn) -> None:
    """Who deleted it may have edited it just before."""
    customer, person = make_customer(), make_user()
    client = log_in()
    client.force_login(person)
    edited(customer, person, "phone", site="us", at=NOW - timedelta(minutes=4))
    lost_with(customer, type="update_deleted", resolution="apply_remote")
    assert "did not hold" not in page(client, "today")
    edited(customer, person, "phone", site="taipei", at=NOW - timedelta(minutes=1))
    lost_with(customer, type="delete_origin_differs", resolution="apply_remote", lost_at=NOW - timedelta(hours=1))
    take_away(customer)
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

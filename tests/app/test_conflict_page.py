"""One conflict for people: both sides of it, and why one of them holds."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone, translation

from crm.core.sites import config
from crm.customers.models import Customer
from crm.reviews import selectors
from crm.reviews.words import rule_choices, why
from sitecfg import ColumnRule
from tests.app.conftest import LogIn
from tests.app.kuroshio import NOW, conflict
from tests.app.make import make_customer, make_order, make_product, make_user
from tests.app.reviewing import answer, edited, listed, page

pytestmark = pytest.mark.usefixtures("conflicts")


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


WHY_OF_WRITERS: list[tuple[dict[str, str], tuple[str, str], str]] = [
    ({"us": "site"}, ("us", "shanghai"), "What United States says of this beats"),
    ({"us": "site"}, ("us", "taipei"), "later edit holds"),  # the record is Taipei's: both have the word
    ({"us": "site"}, ("taipei", "us"), "later edit holds"),
    ({"taipei": "latest"}, ("taipei", "us"), "later edit holds"),
    ({"us": "latest"}, ("taipei", "us"), "belongs to Taipei"),
]


@pytest.mark.parametrize(("written_by", "by", "told"), WHY_OF_WRITERS)
def test_a_rule_that_differs_by_who_writes_is_told_as_the_winners(
    written_by: dict[str, str], by: tuple[str, str], told: str
) -> None:
    customer, rules = make_customer(), config().rules
    key = conflict(customer, "phone", holds="1", lost="2", rule="owner", by=by)
    name = selectors.get_entries([key])[0].conflict.table
    table = replace(rules.table(name), columns={"phone": ColumnRule("owner", written_by=written_by)})
    changed = replace(config(), rules=replace(rules, tables={**rules.tables, name: table}))
    with translation.override("en"), override_settings(CONFIG=changed):
        assert told in why(selectors.get_entries([key])[0])


def test_every_rule_that_the_configuration_names_can_be_filtered_by() -> None:
    with translation.override("en"):
        assert dict(rule_choices()) == {
            "latest": "Later edit",
            "site": "One site's word",
            "owner": "Owning site's word",
            "unique": "Older claim",
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

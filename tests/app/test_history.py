"""Who changed what: kept with every save of a person, and told to whoever asks."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import translation

from crm.activities.services import create_activity, finish_activity
from crm.core.versions import VersionError, version_of
from crm.core.writing import shown
from crm.customers.models import Customer
from crm.customers.services import update_customer
from crm.history.authors import AHEAD, author_of
from crm.history.models import Edit
from crm.history.words import labels_of
from tests.app.conftest import LogIn
from tests.app.make import WHEN, form_of, make_customer, make_order, make_product, make_user

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


def edits(record: uuid.UUID) -> list[tuple[str, Sequence[str]]]:
    return [(edit.person.display_name, edit.columns) for edit in Edit.objects.filter(record=record)]


def test_an_edit_keeps_who_changed_which_columns_here_and_when(log_in: LogIn) -> None:
    customer = make_customer()
    sent = form_of(customer, name="高雄誠信", keeper=str(make_user().pk))
    assert log_in(display_name="林怡君").post(reverse("customer_edit", args=[customer.pk]), sent).status_code == 303
    (edit,) = Edit.objects.filter(record=customer.pk)
    assert (edit.table, edit.columns, edit.owner_site) == ("customers_customer", ["keeper_id", "name"], "taipei")
    assert edit.person.display_name == "林怡君"
    with connection.cursor() as cursor:
        cursor.execute("select transaction_timestamp()")
        assert cursor.fetchone() == (edit.created_at,)


def test_what_changes_nothing_or_clashes_leaves_no_history(log_in: LogIn) -> None:
    customer = make_customer(phone="1")
    client = log_in()
    client.post(reverse("customer_edit", args=[customer.pk]), form_of(customer))
    stale = form_of(customer, phone="mine")
    Customer.objects.filter(pk=customer.pk).update(phone="theirs")
    assert client.post(reverse("customer_edit", args=[customer.pk]), stale).status_code == 409
    assert edits(customer.pk) == []


@pytest.mark.usefixtures("db")
def test_who_saves_without_a_person_leaves_none_either() -> None:
    customer = make_customer()
    fields = ("name", "latin_name", "tax_id", "email", "city", "phone")
    now = shown(customer, fields)
    save = partial(update_customer, key=customer.pk, fields=fields, typed=now | {"name": "高雄誠信"}, by=None)
    with pytest.raises(VersionError):
        save(seen="")
    assert save(seen=version_of(fields, now)).changes
    make_product()
    assert Edit.objects.count() == 0


@pytest.mark.usefixtures("db")
def test_what_is_new_is_kept_without_columns_and_once() -> None:
    user = make_user()
    key = uuid.uuid4()
    values = {"kind": "visit", "state": "planned", "subject": "看新產線", "starts_at": WHEN}
    for _ in range(2):
        create_activity(key=key, customer=make_customer(), author=user, values=values)
    assert edits(key) == [("王志明", [])]
    assert len(edits(make_order(make_customer()).pk)) == 1


@pytest.mark.usefixtures("db")
def test_finishing_an_activity_is_an_edit_once() -> None:
    user = make_user()
    values = {"kind": "visit", "state": "planned", "subject": "看新產線", "starts_at": WHEN}
    activity = create_activity(key=uuid.uuid4(), customer=make_customer(), author=user, values=values)
    for _ in range(2):
        finish_activity(key=activity.pk, by=user.pk)
    assert sorted(list(columns) for _, columns in edits(activity.pk)) == [[], ["state"]]


def edit_at(seconds: float, *columns: str, site: str = "us") -> Edit:
    return Edit(owner_site=site, created_at=NOW + timedelta(seconds=seconds), columns=list(columns))


@pytest.mark.parametrize(
    ("at", "found"),
    [(-1, None), (0, 0), (5, 0), (10, 1), (3600, None), (AHEAD.total_seconds(), 1), (AHEAD.total_seconds() + 11, None)],
)
def test_a_versions_author_saved_that_column_there_last_before_it(at: float, found: int | None) -> None:
    known = [edit_at(0, "name", "city"), edit_at(10, "name"), edit_at(9, "city"), edit_at(9, "name", site="taipei")]
    author = author_of(known, columns={"name"}, site="us", at=NOW + timedelta(seconds=at))
    assert author is (None if found is None else known[found])


def test_columns_that_share_a_stamp_share_an_author() -> None:
    limit = edit_at(0, "credit_limit")
    assert author_of([limit], columns={"credit_limit", "credit_currency"}, site="us", at=NOW) is limit


def test_columns_are_told_in_the_words_of_the_forms() -> None:
    with translation.override("en"):
        assert labels_of(Customer, ["keeper_id", "name", "fax"]) == ["Name", "Responsible", "fax"]


def test_the_customers_page_leads_to_its_history(log_in: LogIn) -> None:
    customer = make_customer()
    client = log_in(display_name="林怡君")
    client.post(reverse("customer_edit", args=[customer.pk]), form_of(customer, city="台中", phone="2"))
    address = reverse("customer_history", args=[customer.pk])
    plain = {"accept-encoding": ""}
    assert address in client.get(reverse("customer_detail", args=[customer.pk]), headers=plain).content.decode()
    text = client.get(address, headers=plain).content.decode()
    assert "Phone, City" in text
    assert "林怡君" in text


def test_a_long_history_is_shown_page_by_page(log_in: LogIn) -> None:
    customer, user = make_customer(), make_user()
    for number in range(30):
        Edit.objects.create(
            table="customers_customer",
            record=customer.pk,
            columns=["phone"],
            person=user,
            owner_site="us",
            created_at=NOW + timedelta(seconds=number),
        )
    client = log_in()
    first = client.get(reverse("customer_history", args=[customer.pk]))
    assert len(first.context["rows"]) == 25
    mark = first.context["page"].next_mark
    rest = client.get(reverse("customer_history", args=[customer.pk]), {"after": mark}, headers={"HX-Target": "more"})
    assert len(rest.context["rows"]) == 5

"""A record that fell with its parent: told in plain words, and brought back with the parent by whoever may."""

from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from crm.customers.models import Contact, Customer
from crm.history.models import Edit
from crm.reviews.gathering import gather
from crm.reviews.models import Settlement
from crm.reviews.selectors import get_with_mates
from tests.app.conftest import LogIn
from tests.app.kuroshio import NOW, fallen, take_away
from tests.app.make import make_contact, make_customer, make_user
from tests.app.reviewing import answer, edited, listed, page

pytestmark = pytest.mark.usefixtures("conflicts")


@pytest.fixture
def contact() -> Contact:
    return make_contact(make_customer(name="寧波誠意機械", phone="+886 2 1"), name="陳小姐")


@pytest.fixture
def key(contact: Contact) -> UUID:
    """The contact was given to the customer in the US, while Taipei deleted it."""
    key = fallen(contact, "customer_id")
    take_away(contact, "fallen")
    take_away(contact.customer)
    return key


def choose(client: Client, key: UUID, decision: str) -> int:
    (question,) = gather(get_with_mates([key]), make_user(role="hq"))
    sent = {"id": [str(key)], f"{question.prefix}-version": question.version, f"{question.prefix}-decision": decision}
    return client.post(reverse("conflict_answer"), sent).status_code


def test_it_is_history_that_can_be_answered_all_the_same(log_in: LogIn, key: UUID) -> None:
    assert (listed(state="open"), listed(state="closed")) == ([], [key])
    text = page(log_in(), "conflict_list")
    for told in ("陳小姐", "寧波誠意機械", "deleted", "out of sight", "Gone with its parent", f'value="{key}"'):
        assert told in text
    assert listed(rule="parent") == listed(kind="contacts") == [key]


def test_its_page_says_who_deleted_what_it_belongs_to(log_in: LogIn, key: UUID) -> None:
    text = page(log_in(), "conflict_detail", key)
    assert "Taipei deleted what this belongs to, while United States put it there without knowing of that." in text
    for told in ("陳小姐", "寧波誠意機械", "Customer deleted", "Bring back what it belongs to"):
        assert told in text


def test_the_parent_is_brought_back_as_it_was_by_an_ordinary_insert(log_in: LogIn, key: UUID, contact: Contact) -> None:
    client = log_in(display_name="林怡君")
    assert choose(client, key, "other") == 303
    customer = Customer.objects.get(pk=contact.customer_id)
    assert (customer.name, customer.phone, customer.owner_site) == ("寧波誠意機械", "+886 2 1", "taipei")
    assert customer.search_text == contact.customer.search_text
    (edit,) = Edit.objects.filter(record=customer.pk)
    assert (edit.columns, edit.person.display_name) == ([], "林怡君")
    assert (Settlement.objects.get().pk, Settlement.objects.get().decision) == (key, "other")
    assert "brought back what it belongs to" in page(client, "conflict_detail", key)


def test_leaving_it_closes_it_and_writes_nothing(log_in: LogIn, key: UUID) -> None:
    client = log_in()
    assert answer(client, key).status_code == 303
    assert Customer.objects.count() == 0
    assert 'type="radio"' not in page(client, "conflict_detail", key)


def test_who_put_it_there_is_told_on_the_start_page(log_in: LogIn, key: UUID, contact: Contact) -> None:
    client, author = log_in(), make_user()
    client.force_login(author)
    edited(contact, author, site="us", at=NOW.replace(hour=5, minute=57))
    told = "Taipei deleted what it belongs to without knowing of it"
    assert told in page(client, "today")
    page(client, "conflict_detail", key)
    assert told not in page(client, "today")


@pytest.mark.parametrize("decision", ["accept", "other"])
def test_only_who_may_edit_such_records_answers(log_in: LogIn, key: UUID, decision: str) -> None:
    client = log_in("ops")
    assert "Your role does not change this" in page(client, "conflict_detail", key)
    assert choose(client, key, decision) == 409
    assert (Settlement.objects.count(), Customer.objects.count()) == (0, 0)


def test_a_parent_whose_last_values_are_not_kept_cannot_be_brought_back(log_in: LogIn, contact: Contact) -> None:
    key, customer = fallen(contact, "customer_id"), contact.customer
    take_away(contact, "fallen")
    customer.delete()
    client = log_in()
    text = page(client, "conflict_detail", key)
    assert "cannot be brought back here" in text
    assert "Bring back what it belongs to" not in text
    assert choose(client, key, "other") == 409


def test_what_is_back_by_itself_is_told_so_and_asks_nobody(log_in: LogIn, contact: Contact) -> None:
    key = fallen(contact, "customer_id")
    client = log_in()
    text = page(client, "conflict_detail", key)
    assert "here again" in text
    assert 'type="radio"' not in text
    assert "here again" in page(client, "conflict_list")


def test_a_record_that_is_gone_for_good_breaks_no_page(log_in: LogIn, contact: Contact) -> None:
    key, customer = fallen(contact, "customer_id"), contact.customer
    contact.delete()
    customer.delete()
    client = log_in()
    assert "not here any more" in page(client, "conflict_detail", key)
    page(client, "conflict_list")
    page(client, "today")

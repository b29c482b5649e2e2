"""Customers: found, shown, changed."""

import uuid

import pytest
from django.test import Client
from django.urls import reverse

from crm.customers.models import Contact, Customer
from crm.customers.selectors import Wanted, find_customers, get_customer_page
from tests.app.conftest import LogIn
from tests.app.make import form_of, make_contact, make_customer, make_order


def found(typed: str) -> set[str]:
    return {customer.name for customer in find_customers(Wanted(typed=typed))}


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(
    "typed", ["诚意", "誠意機械", "波誠", "Chengyi", "ngbo", "wang", "2345 6789", "NINGBO 机械", "统一"]
)
def test_a_customer_is_found_by_any_part_in_any_script(typed: str) -> None:
    customer = make_customer(name="寧波誠意機械統一", latin_name="Ningbo Chengyi", phone="+886 2 2345 6789")
    make_contact(customer, name="王大明", latin_name="Wang Da-Ming")
    make_customer(name="高雄港務")
    assert found(typed) == {"寧波誠意機械統一"}


@pytest.mark.usefixtures("db")
def test_what_is_typed_as_signs_alone_finds_nobody() -> None:
    make_customer()
    assert found("%_!") == set()


@pytest.mark.usefixtures("db")
def test_paging_shows_every_customer_once() -> None:
    names = {make_customer(name=f"客戶{number}").name for number in range(60)}
    seen: list[str] = []
    mark = ""
    while True:
        page = get_customer_page(Wanted(), mark=mark)
        seen += [customer.name for customer in page.rows]
        mark = page.next_mark
        if not mark:
            break
    assert len(seen) == 60
    assert set(seen) == names


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("mark", ["x", "AAAA", "WyJhIiwgImIiXQ", "e30"])
def test_a_mark_that_is_none_starts_from_the_beginning(mark: str) -> None:
    make_customer()
    assert len(get_customer_page(Wanted(), mark=mark).rows) == 1


def edit(client: Client, customer: Customer, sent: dict[str, str]):  # type: ignore[no-untyped-def]
    return client.post(reverse("customer_edit", args=[customer.pk]), sent)


def test_an_edit_writes_what_was_typed_and_finds_it(log_in: LogIn) -> None:
    customer = make_customer()
    response = edit(log_in(), customer, form_of(customer, name="高雄誠信"))
    assert response.status_code == 303
    customer.refresh_from_db()
    assert customer.name == "高雄誠信"
    assert found("诚信") == {"高雄誠信"}


def test_a_stale_form_does_not_carry_old_values_back(log_in: LogIn) -> None:
    customer = make_customer(phone="1")
    stale = form_of(customer, city="台中")
    Customer.objects.filter(pk=customer.pk).update(phone="2")
    assert edit(log_in(), customer, stale).status_code == 303
    customer.refresh_from_db()
    assert (customer.phone, customer.city) == ("2", "台中")


def test_a_clash_shows_both_values_and_saves_nothing(log_in: LogIn) -> None:
    customer = make_customer(phone="1")
    stale = form_of(customer, phone="mine", city="台中")
    Customer.objects.filter(pk=customer.pk).update(phone="theirs")
    response = edit(log_in(), customer, stale)
    assert response.status_code == 409
    (clash,) = response.context["clashes"]
    assert (clash.mine, clash.theirs) == ("mine", "theirs")
    customer.refresh_from_db()
    assert (customer.phone, customer.city) == ("theirs", "")


@pytest.mark.parametrize(("choice", "phone"), [("mine", "mine"), ("theirs", "theirs")])
def test_the_choice_in_a_clash_holds_and_the_rest_is_saved(log_in: LogIn, choice: str, phone: str) -> None:
    customer = make_customer(phone="1")
    stale = form_of(customer, phone="mine", city="台中")
    Customer.objects.filter(pk=customer.pk).update(phone="theirs", terms="T/T 60")
    client = log_in()
    again = edit(client, customer, stale).context["form"]
    assert edit(client, customer, dict(again.data.items()) | {"keep_phone": choice}).status_code == 303
    customer.refresh_from_db()
    assert (customer.phone, customer.city, customer.terms) == (phone, "台中", "T/T 60")


def test_a_form_without_its_version_is_refused(log_in: LogIn) -> None:
    customer = make_customer()
    assert edit(log_in(), customer, form_of(customer, version="")).status_code == 400


def test_a_new_customer_sent_twice_is_one_customer(log_in: LogIn) -> None:
    sent = {
        "new_id": str(uuid.uuid4()), "kind": "household", "name": "陳家", "name_lang": "zh-Hant", "stage": "prospect",
        "currency": "TWD", "country": "tw",
    }  # fmt: skip
    client = log_in()
    first, second = (client.post(reverse("customer_new"), sent) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]
    customer = Customer.objects.get()
    assert (customer.owner_site, customer.country) == ("taipei", "TW")


def test_a_contact_belongs_to_its_customers_site(log_in: LogIn) -> None:
    customer = make_customer(owner_site="us")
    sent = {"new_id": str(uuid.uuid4()), "name": "John Smith", "name_lang": "en", "is_active": "on"}
    assert log_in().post(reverse("contact_new", args=[customer.pk]), sent).status_code == 303
    assert Contact.objects.get().owner_site == "us"


def test_only_headquarters_grants_credit(log_in: LogIn) -> None:
    customer = make_customer()
    sent = form_of(customer, credit_limit="5000", credit_currency="TWD")
    edit(log_in("staff"), customer, sent)
    customer.refresh_from_db()
    assert customer.credit_limit is None


def test_one_page_shows_the_customer_whole(log_in: LogIn) -> None:
    customer = make_customer(name="宁波诚意机械", name_lang="zh-Hans", latin_name="Ningbo Chengyi")
    make_contact(customer, name="張偉")
    make_order(customer, owner_site="us")
    page = log_in(language="zh-hant").get(
        reverse("customer_detail", args=[customer.pk]), headers={"accept-encoding": ""}
    )
    text = page.content.decode()
    assert '<span lang="zh-Hans">宁波诚意机械</span>' in text
    assert '<span lang="zh-Hant">寧波誠意機械</span>' in text
    assert "張偉" in text
    assert "美國" in text


def test_what_is_not_here_yet_is_told_as_that(log_in: LogIn) -> None:
    page = log_in().get(reverse("customer_detail", args=[uuid.uuid4()]), headers={"accept-encoding": ""})
    assert page.status_code == 404
    assert "has not arrived" in page.content.decode()

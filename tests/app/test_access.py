"""Who may do what, and what every answer carries."""

import pytest
from django.conf import settings
from django.test import Client
from django.urls import get_resolver, reverse

from tests.app.conftest import LogIn
from tests.app.make import make_customer, make_user

OPEN = {"log_in", "choose_language"}
VALUES = {"UUIDConverter": "00000000-0000-4000-8000-000000000000", "IntConverter": 1, "SlugConverter": "us"}


@pytest.mark.usefixtures("db", "assets")
@pytest.mark.parametrize("pattern", get_resolver().url_patterns, ids=lambda pattern: pattern.name)
def test_nothing_but_the_log_in_is_shown_to_strangers(pattern) -> None:  # type: ignore[no-untyped-def]
    keys = {name: VALUES[type(converter).__name__] for name, converter in pattern.pattern.converters.items()}
    response = Client().get(reverse(pattern.name, kwargs=keys))
    if pattern.name in OPEN:
        assert response.status_code in {200, 405}
    elif pattern.name != "log_out":
        assert (response.status_code, response.headers["Location"].partition("?")[0]) == (302, "/log-in")


@pytest.mark.parametrize(("role", "status"), [("hq", 200), ("staff", 403), ("ops", 403)])
def test_the_global_report_is_for_headquarters(log_in: LogIn, role: str, status: int) -> None:
    assert log_in(role).get(reverse("global_report")).status_code == status


@pytest.mark.parametrize(("role", "status"), [("hq", 200), ("staff", 200), ("ops", 403)])
def test_operations_read_but_do_not_sell(log_in: LogIn, role: str, status: int) -> None:
    client = log_in(role)
    assert client.get(reverse("customer_edit", args=[make_customer().pk])).status_code == status
    assert client.get(reverse("health")).status_code == 200


@pytest.mark.parametrize(("role", "status"), [("hq", 403), ("staff", 403), ("ops", 200)])
def test_the_console_is_for_operations(log_in: LogIn, role: str, status: int) -> None:
    client = log_in(role)
    for name in ("ops", "ops_figures", "ops_past", "ops_positions", "ops_waiting", "ops_comparing", "ops_log"):
        assert client.get(reverse(name)).status_code == status
    assert client.get(reverse("ops_link", args=["us", "taipei"])).status_code == status


@pytest.mark.parametrize(("role", "status"), [("hq", 200), ("staff", 403), ("ops", 403)])
def test_the_catalogue_is_headquarters_business(log_in: LogIn, role: str, status: int) -> None:
    assert log_in(role).get(reverse("product_new")).status_code == status


@pytest.mark.usefixtures("db", "assets")
def test_a_person_logs_in_and_out() -> None:
    make_user(username="wang")
    client = Client()
    wrong = client.post(reverse("log_in"), {"username": "wang", "password": "no"})
    assert wrong.status_code == 200
    right = client.post(reverse("log_in"), {"username": "wang", "password": "a long pass phrase"})
    assert right.headers["Location"] == "/"
    assert client.get("/").status_code == 200
    client.post(reverse("log_out"))
    assert client.get("/").status_code == 302


@pytest.mark.usefixtures("db", "assets")
def test_a_log_in_writes_nothing_that_travels() -> None:
    user = make_user(username="wang")
    Client().post(reverse("log_in"), {"username": "wang", "password": "a long pass phrase"})
    before = user.updated_at, user.password
    user.refresh_from_db()
    assert (user.updated_at, user.password) == before


def test_a_form_from_another_site_of_the_web_is_refused(log_in: LogIn) -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies = log_in().cookies
    assert client.post(reverse("customer_new"), {}).status_code == 403


def test_no_page_holds_inline_code_and_the_policy_forbids_it(log_in: LogIn) -> None:
    customer = make_customer()
    client = log_in("hq")
    for name, key in (
        ("today", []),
        ("customer_list", []),
        ("customer_detail", [customer.pk]),
        ("health", []),
        ("global_report", []),
    ):
        response = client.get(reverse(name, args=key), headers={"accept-encoding": ""})
        text = response.content.decode()
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert " style=" not in text
        assert "<style" not in text
        assert " onclick=" not in text
        assert text.count("<script") == text.count("<script src=")


def test_pages_are_not_kept_by_others_and_not_framed(log_in: LogIn) -> None:
    headers = log_in().get("/").headers
    assert "private" in headers["Cache-Control"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_each_sites_cookies_have_its_name() -> None:
    for name in (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME, settings.LANGUAGE_COOKIE_NAME):
        assert "taipei" in name
    assert settings.SESSION_COOKIE_HTTPONLY


@pytest.mark.usefixtures("db", "assets")
def test_the_choice_of_language_leads_to_no_strange_place() -> None:
    response = Client().post(reverse("choose_language"), {"language": "en", "next": "https://example.com/"})
    assert response.headers["Location"] == reverse("log_in")

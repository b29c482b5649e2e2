"""Three languages, everybody's own time, money by its code."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

import crm
from crm.accounts.forms import PreferencesForm
from crm.activities.forms import ActivityForm
from crm.catalog.forms import ProductForm
from crm.core import words
from crm.core.forms import RowForm
from crm.core.scripts import for_reader
from crm.customers.forms import ContactForm, CreditForm
from crm.sales.forms import LineForm, NewOrderForm
from tests.app.conftest import LogIn
from tests.app.make import make_customer, make_order, make_user

LOCALE = Path(crm.__file__).parent / "locale"
SCRIPTS = ["zh_Hant", "zh_Hans"]


def entries(script: str) -> list[str]:
    return (LOCALE / script / "LC_MESSAGES" / "django.po").read_text().split("\n\n")[1:]


def strings(entry: str, key: str) -> str:
    found = re.search(rf'^{key}(?:\[0\])? ((?:".*"\n?)+)', entry, re.MULTILINE)
    return "".join(re.findall(r'"(.*)"', found[1])) if found else ""


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_sentence_is_translated_with_all_its_places(script: str) -> None:
    for entry in entries(script):
        told, said = strings(entry, "msgid"), strings(entry, "msgstr")
        assert said, told
        assert "fuzzy" not in entry, told
        assert set(re.findall(r"%\(\w+\)s", said)) == set(re.findall(r"%\(\w+\)s", told)), told


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_sentence_of_the_application_is_in_the_catalogue(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gathers the sentences anew beside a copy, and finds none that the catalogue lacks."""
    import shutil

    copy = tmp_path / "crm"
    shutil.copytree(LOCALE.parent, copy, ignore=shutil.ignore_patterns("__pycache__", "demo"))
    monkeypatch.chdir(copy)
    call_command("makemessages", locale=[script], no_location=True, no_obsolete=True, no_wrap=True, verbosity=0)
    gathered = (copy / "locale" / script / "LC_MESSAGES" / "django.po").read_text().split("\n\n")[1:]
    assert [strings(entry, "msgid") for entry in gathered if not strings(entry, "msgstr")] == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_compiled_catalogue_is_that_of_the_text(script: str, tmp_path: Path) -> None:
    import subprocess

    text = LOCALE / script / "LC_MESSAGES" / "django.po"
    subprocess.run(["msgfmt", "--check-format", "-o", tmp_path / "made.mo", text], check=True)
    assert (tmp_path / "made.mo").read_bytes() == text.with_suffix(".mo").read_bytes(), "run manage.py compilemessages"


@pytest.mark.parametrize(("script", "charset"), [("zh_Hant", "cp950"), ("zh_Hans", "gb2312")])
def test_simplified_and_traditional_are_not_mixed(script: str, charset: str) -> None:
    """Each script's old character set has none of the other's own characters."""
    for entry in entries(script):
        strings(entry, "msgstr").encode(charset)


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("language", ["zh-hant", "zh-hans"])
def test_every_label_of_every_form_is_translated(language: str) -> None:
    with translation.override(language):
        forms: list[type[RowForm[Any]]] = [CreditForm, ContactForm, ProductForm, NewOrderForm, LineForm, ActivityForm]
        fields = [field for form in forms for field in form.to_create().fields.values() if not field.widget.is_hidden]
        fields += PreferencesForm.to_edit(make_user()).fields.values()
        labels = {str(field.label) for field in fields if not field.widget.is_hidden}
    assert [label for label in labels if label.isascii()] == []


@pytest.mark.parametrize(("language", "word"), [("zh-hant", "客戶"), ("zh-hans", "客户"), ("en", "Customers")])
def test_each_person_reads_in_the_language_of_their_choice(log_in: LogIn, language: str, word: str) -> None:
    page = log_in(language=language).get(reverse("customer_list"), headers={"accept-encoding": ""})
    assert f"<h1>{word}</h1>" in page.content.decode()
    assert page.headers["Content-Language"] == language


@pytest.mark.usefixtures("db", "assets")
def test_a_stranger_reads_in_the_sites_language_until_they_choose() -> None:
    client = Client()
    assert '<html lang="zh-Hant">' in client.get(reverse("log_in")).content.decode()
    client.post(reverse("choose_language"), {"language": "zh-hans"})
    assert '<html lang="zh-Hans">' in client.get(reverse("log_in")).content.decode()


@pytest.mark.parametrize(("zone", "shown"), [("Asia/Taipei", "12:30"), ("America/New_York", "23:30")])
def test_times_are_shown_in_the_readers_own_zone_with_its_name(log_in: LogIn, zone: str, shown: str) -> None:
    order = make_order(make_customer(), ordered_at=datetime(2026, 3, 5, 4, 30, tzinfo=UTC))
    text = (
        log_in(time_zone=zone)
        .get(reverse("order_detail", args=[order.pk]), headers={"accept-encoding": ""})
        .content.decode()
    )
    assert re.search(rf"<time [^>]*{zone}[^>]*>[^<]*{shown}</time>", text)


def test_times_are_typed_in_the_persons_own_zone(log_in: LogIn) -> None:
    from crm.sales.forms import OrderForm

    order = make_order(make_customer())
    with timezone.override(ZoneInfo("America/New_York")):
        form = OrderForm.to_edit(order)
        assert form["ordered_at"].value().isoformat() == "2026-03-04T23:30:00"
    client = log_in(time_zone="America/New_York")
    sent = {"version": form.initial["version"], "ordered_at": "2026-07-01T09:00", "status": order.status}
    assert client.post(reverse("order_edit", args=[order.pk]), sent).status_code == 303
    order.refresh_from_db()
    assert order.ordered_at == datetime(2026, 7, 1, 13, 0, tzinfo=UTC)


def test_preferences_hold_from_the_next_page_on(log_in: LogIn) -> None:
    client = log_in()
    user = make_user()
    client.force_login(user)
    form = PreferencesForm.to_edit(user)
    sent = {name: form[name].value() for name in form.row_fields()} | {"version": form.initial["version"]}
    client.post(reverse("preferences"), sent | {"language": "zh-hans", "time_zone": "Asia/Shanghai"})
    assert client.get("/").headers["Content-Language"] == "zh-hans"


@pytest.mark.parametrize(
    ("amount", "currency", "told"),
    [
        ("1234.5", "USD", "USD 1,234.50"),
        ("1234", "TWD", "TWD 1,234"),
        ("1234.5", "TWD", "TWD 1,234.50"),
        ("-3", "CNY", "CNY -3.00"),
    ],
)
def test_money_says_its_currency_by_code(amount: str, currency: str, told: str) -> None:
    assert words.money(Decimal(amount), currency) == told


@pytest.mark.parametrize(
    ("seconds", "told"), [(None, "–"), (0.2, "< 1 s"), (41, "41 s"), (1380, "23 min"), (7300, "2 h"), (200000, "2 d")]
)
def test_an_age_is_told_in_the_unit_that_says_enough(seconds: float | None, told: str) -> None:
    with translation.override("en"):
        assert words.age(seconds) == told


def test_a_reading_aid_is_given_only_where_the_script_differs() -> None:
    with translation.override("zh-hant"):
        assert for_reader("宁波", "zh-Hans") == ("寧波", "zh-Hant")
        assert for_reader("寧波", "zh-Hant") is None
    with translation.override("en"):
        assert for_reader("宁波", "zh-Hans") is None


def test_the_catalogues_hold_no_machine_of_ours() -> None:
    for script in SCRIPTS:
        assert b"@" not in BytesIO((LOCALE / script / "LC_MESSAGES" / "django.po").read_bytes()).read()

"""Made-up people and companies: right in their script, with numbers of the right form, the same each time."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from itertools import chain
from typing import Any

import pytest
from django.db.models import Model
from opencc import OpenCC

from crm.activities.models import Activity
from crm.core.sites import config
from crm.customers.models import Contact, Customer, Stage
from crm.demo import places, words
from crm.demo.accounts import accounts
from crm.demo.chance import chance
from crm.demo.customers import Folder, company, household
from crm.demo.people import SCRIPTS, Name, Script, person
from crm.demo.source import Demographics

DAY = date(2026, 11, 22)
SINCE = datetime(2017, 1, 1, 11, 53, 26, tzinfo=UTC)
COUPLE = Demographics("45-54", "50-74K", "2 Adults Kids")
SITES = ["taipei", "kaohsiung", "shanghai", "us"]
SYLLABLES = (*words.SURNAMES, *words.COMPOUND_SURNAMES, *words.FIRST, *words.SECOND, *words.FORTUNES)
PHONES = {
    "TW": r"\+886-(2-2\d{3}-\d{4}|7-[2-9]\d{2}-\d{4}|9\d{2}-\d{3}-\d{3})",
    "CN": r"\+86 (21 [2-9]\d{3} \d{4}|1[3-9]\d \d{4} \d{4})",
    "US": r"\+1-(212|718|201)-555-01\d{2}",
}


def names(script: Script) -> list[Name]:
    return [person(script, chance("test", script, number)) for number in range(300)]


def folders(site: str) -> Iterable[Folder]:
    at = config().sites[site]
    for number in range(1, 40):
        yield company(number, site=at, day=DAY)
        yield household(number, COUPLE if number % 2 else None, site=at, since=SINCE, stage=Stage.FIRST)


def test_each_syllable_is_the_same_in_both_scripts() -> None:
    simplify = OpenCC("t2s").convert
    assert [each.hans for each in SYLLABLES] == [simplify(each.hant) for each in SYLLABLES]


@pytest.mark.parametrize("script", ["zh-Hant", "zh-Hans"])
def test_a_chinese_name_is_two_to_four_characters_with_a_latin_form(script: Script) -> None:
    assert all(re.fullmatch("[\u4e00-\u9fff]{2,4}", name.own) for name in names(script))
    assert all(re.fullmatch("[A-Z][a-z]+ [A-Z][a-z]+(-[a-z]+)?", name.latin) for name in names(script))


def test_a_name_is_in_the_script_that_it_names() -> None:
    simplify = OpenCC("t2s").convert
    assert all(simplify(name.own) == name.own for name in names("zh-Hans"))
    assert any(simplify(name.own) != name.own for name in names("zh-Hant"))
    assert all(name.latin == "" and name.own[0].isascii() for name in names("en"))


@pytest.mark.parametrize("script", ["zh-Hant", "zh-Hans"])
def test_some_surnames_have_two_characters(script: Script) -> None:
    compound = tuple(each.hant if script == "zh-Hant" else each.hans for each in words.COMPOUND_SURNAMES)
    assert 5 < sum(name.own.startswith(compound) for name in names(script)) < 60


@pytest.mark.parametrize("site", SITES)
def test_every_row_is_one_that_its_model_takes(site: str) -> None:
    for folder in folders(site):
        for model, rows in _by_model(folder):
            for row in rows:
                model(**row).clean_fields(exclude=_references(model))


def _references(model: type[Model]) -> set[str]:
    return {field.name for field in model._meta.fields if field.is_relation}


def _by_model(folder: Folder) -> list[tuple[type[Model], list[dict[str, Any]]]]:
    return [(Customer, folder.customers), (Contact, folder.contacts), (Activity, folder.activities)]


@pytest.mark.parametrize("site", SITES)
def test_telephone_numbers_have_their_countrys_form(site: str) -> None:
    form = PHONES[places.place_of(site, "").country]
    rows = [row for folder in folders(site) for row in (*folder.customers, *folder.contacts)]
    given = list(chain.from_iterable((row.get("phone", ""), row.get("mobile", "")) for row in rows))
    assert [phone for phone in given if phone and not re.fullmatch(form, phone)] == []


def test_tax_numbers_carry_right_check_digits() -> None:
    taiwan = [places.tax_number(places.TAIPEI, chance(number)) for number in range(100)]
    china = [places.tax_number(places.SHANGHAI, chance(number)) for number in range(100)]
    assert all(map(places.is_taiwan_number, [*taiwan, "04595257"]))
    assert all(map(places.is_chinese_number, [*china, "91350100M000100Y43"]))
    assert not places.is_taiwan_number("04595258")
    assert not places.is_chinese_number("91350100M000100Y44")


def test_all_three_scripts_are_met_at_every_site() -> None:
    for site in SITES:
        assert {row["name_lang"] for folder in folders(site) for row in folder.contacts} == set(SCRIPTS)


def test_what_is_made_up_says_so() -> None:
    for folder in folders("us"):
        kind = folder.customers[0]["kind"]
        assert folder.customers[0]["source"] == {"company": "made", "household": "completejourney+made"}[kind]
        assert folder.customers[0]["note"].startswith("Sample data:") or folder.customers[0]["name_lang"] != "en"
        assert {row["source"] for row in (*folder.contacts, *folder.activities)} <= {"made"}


def test_the_same_household_is_made_each_time() -> None:
    taipei = config().sites["taipei"]
    first, second = (household(7, COUPLE, site=taipei, since=SINCE, stage=Stage.FIRST) for _ in range(2))
    assert first == second
    assert first.customers[0]["name"] == "蘇彥軒"


def test_a_couple_is_two_people_and_visits_are_planned_around_the_day() -> None:
    taipei = config().sites["taipei"]
    assert len(household(7, COUPLE, site=taipei, since=SINCE, stage=Stage.FIRST).contacts) == 2
    assert len(household(7, None, site=taipei, since=SINCE, stage=Stage.FIRST).contacts) == 1
    meetings = [row for number in range(40) for row in company(number, site=taipei, day=DAY).activities]
    assert {row["state"] for row in meetings} == {"planned", "done"}
    assert all((row["starts_at"].date() >= DAY) == (row["state"] == "planned") for row in meetings)


def test_there_is_an_account_at_each_site_and_two_at_headquarters() -> None:
    at = {values["username"]: (values["role"], values["owner_site"]) for values in accounts([*config().sites.values()])}
    assert at == {site: ("staff", site) for site in SITES} | {"ops": ("ops", "taipei"), "hq": ("hq", "taipei")}

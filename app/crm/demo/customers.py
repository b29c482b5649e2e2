"""Customers of the sample data with their people, visits and calls: households around what is real of
them, companies made up. Pure; `day` is the day of loading, around which companies are visited."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from crm.activities.models import Kind as ActivityKind
from crm.activities.models import State
from crm.customers.models import Kind, Stage
from crm.customers.services import contact_search_text, customer_search_text
from crm.demo import places, talk, words
from crm.demo.chance import chance
from crm.demo.keys import MADE, REAL_AND_MADE, key_of
from crm.demo.people import Name, Script, person, script_at, usual_script
from crm.demo.rows import CURRENCY, Row
from crm.demo.source import Demographics
from sitecfg import Site

_CALLED_SHARE = 0.25


@dataclass
class Folder:
    """Rows of some customers, with what belongs to them."""

    customers: list[Row] = field(default_factory=list)
    contacts: list[Row] = field(default_factory=list)
    activities: list[Row] = field(default_factory=list)

    def add(self, other: "Folder") -> None:
        self.customers += other.customers
        self.contacts += other.contacts
        self.activities += other.activities


def together(folders: Iterable[Folder]) -> Folder:
    """All rows of some folders in one."""
    whole = Folder()
    for each in folders:
        whole.add(each)
    return whole


def household(ref: int, known: Demographics | None, *, site: Site, since: datetime, stage: Stage) -> Folder:
    """A household that bought first at a moment, with its grown-ups and perhaps a call."""
    luck = chance("household", ref)
    maker = _Maker(site, luck, ref=f"household {ref}", since=since, source=REAL_AND_MADE)
    head = person(script_at(site.languages[0], luck), luck)
    segment = " · ".join((known.age, known.income, known.composition)) if known else ""
    row = maker.customer(head, "household", ref) | {
        "kind": Kind.HOUSEHOLD.value,
        "stage": stage.value,
        "industry": segment,
        "phone": places.mobile(maker.place, luck),
        "email": f"{head.mail}{ref}@example.com",
        "currency": CURRENCY,
        "note": talk.HOUSEHOLD_NOTE[head.lang],
    }
    grown_ups = [head] + ([person(head.lang, luck)] if known and known.composition.startswith("2 Adults") else [])
    contacts = [maker.contact(name, place, job="", domain="example.com") for place, name in enumerate(grown_ups)]
    moments = [since + timedelta(days=luck.randint(1, 30))] if luck.random() < _CALLED_SHARE else []
    calls = [maker.activity(number, moment, talk.WITH_HOUSEHOLDS) for number, moment in enumerate(moments)]
    return _folder(row, contacts, calls)


def company(number: int, *, site: Site, day: date) -> Folder:
    """A company that one site courts."""
    luck = chance("company", site.name, number)
    since = datetime.combine(day, time(2), UTC) - timedelta(days=luck.randint(30, 900))
    maker = _Maker(site, luck, ref=f"company {site.name} {number}", since=since, source=MADE)
    industry, name = company_name(maker.place, luck)
    fields = {"zh-Hant": industry.field_hant, "zh-Hans": industry.field_hans, "en": industry.field_en}
    domain = f"{name.mail.split('.')[0]}{number}.example"
    row = maker.customer(name, "company", f"{site.name} {number}") | {
        "kind": Kind.COMPANY.value,
        "stage": Stage.PROSPECT.value,
        "industry": fields[name.lang],
        "tax_id": places.tax_number(maker.place, luck),
        "phone": places.phone(maker.place, luck),
        "email": f"info@{domain}",
        "currency": site.currency,
        "note": talk.COMPANY_NOTE[name.lang],
    }
    contacts = []
    for place in range(luck.randint(1, 3)):
        who = person(script_at(site.languages[0], luck), luck)
        contacts.append(maker.contact(who, place, job=luck.choice(words.JOBS[name.lang]), domain=domain))
    return _folder(row, contacts, maker.meetings(day))


def company_name(place: places.Place, luck: random.Random) -> tuple[words.Industry, Name]:
    """What a company is called where it is, and what it does."""
    industry, fortune = luck.choice(words.INDUSTRIES), luck.choice(words.FORTUNES)
    match place.country:
        case "TW":
            own = f"{fortune.hant}{industry.hant}股份有限公司"
            return industry, Name(own, "zh-Hant", f"{fortune.taiwan} {industry.en} Co., Ltd.")
        case "CN":
            own = f"{place.city.removesuffix('市')}{fortune.hans}{industry.hans}有限公司"
            return industry, Name(own, "zh-Hans", f"{fortune.pinyin} {industry.en} Co., Ltd.")
        case "US":
            firm, form = luck.choice(words.AMERICAN_FIRMS), luck.choice(words.AMERICAN_FORMS)
            return industry, Name(f"{firm} {industry.en} {form}", "en", "")


def _folder(customer: Row, contacts: list[Row], activities: list[Row]) -> Folder:
    for row in (*contacts, *activities):
        row["customer_id"] = customer["id"]
    customer["search_text"] = customer_search_text({"tax_id": "", **customer})
    return Folder([customer], contacts, activities)


@dataclass(frozen=True)
class _Maker:
    """Makes the rows of one customer at a site."""

    site: Site
    luck: random.Random
    ref: str
    since: datetime
    source: str

    @property
    def place(self) -> places.Place:
        return places.place_of(self.site.name, self.site.languages[0])

    def customer(self, name: Name, kind: str, ref: object) -> Row:
        own = {"name": name.own, "name_lang": name.lang, "latin_name": name.latin}
        where = {
            "city": self.place.city,
            "country": self.place.country,
            "address": places.address(self.place, self.luck),
        }
        row = self._row(kind, ref) | own | where
        return row | {"source": self.source, "source_ref": str(ref), "keeper_id": key_of("account", self.site.name)}

    def contact(self, name: Name, place: int, *, job: str, domain: str) -> Row:
        own = {"name": name.own, "name_lang": name.lang, "latin_name": name.latin}
        row = (
            self._row("contact", f"{self.ref} {place}")
            | own
            | {
                "job": job,
                "phone": "",
                "mobile": places.mobile(self.place, self.luck),
                "email": f"{name.mail}@{domain}",
            }
        )
        return row | {"search_text": contact_search_text(row)}

    def meetings(self, day: date) -> list[Row]:
        """What was said in the months before the day, and what is planned for the weeks after it."""
        past = [-self.luck.randint(1, 120) for _ in range(self.luck.randint(1, 3))]
        ahead = [self.luck.randint(0, 20)] if self.luck.random() < 0.5 else []
        return [
            self.activity(number, self._office_hour(day + timedelta(days=away)), talk.WITH_COMPANIES, planned=away >= 0)
            for number, away in enumerate(past + ahead)
        ]

    def activity(
        self, number: int, moment: datetime, about: dict[Script, tuple[talk.Talk, ...]], *, planned: bool = False
    ) -> Row:
        lang = usual_script(self.site.languages[0])
        subject, said = self.luck.choice(about[lang])
        kind = self.luck.choice([ActivityKind.VISIT, ActivityKind.CALL])
        written = self.since if planned else moment
        return self._row("activity", f"{self.ref} {number}") | {
            "kind": kind.value,
            "state": (State.PLANNED if planned else State.DONE).value,
            "subject": subject,
            "body": "" if planned else said,
            "text_lang": lang,
            "starts_at": moment,
            "minutes": self.luck.choice([15, 30, 60]),
            "author_id": key_of("account", self.site.name),
            "created_at": written,
            "updated_at": written,
        }

    def _office_hour(self, day: date) -> datetime:
        hour = time(self.luck.randint(9, 16), self.luck.choice([0, 15, 30, 45]), tzinfo=ZoneInfo(self.site.time_zone))
        return datetime.combine(day, hour).astimezone(UTC)

    def _row(self, kind: str, ref: object) -> dict[str, Any]:
        return {
            "id": key_of(kind, ref),
            "owner_site": self.site.name,
            "source": MADE,
            "source_ref": str(ref),
            "created_at": self.since,
            "updated_at": self.since,
        }

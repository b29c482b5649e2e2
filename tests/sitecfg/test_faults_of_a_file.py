"""Each fault that one file can have is named with its file, its key and a way out."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sitecfg import Fault, Mask, load
from sitecfg.rules import COLUMN_RULES, STAMP_ORDERED

from .conftest import Breaker

Faults = Callable[[], tuple[Fault, ...]]
TAIPEI = "sites/taipei.toml"
RULES = "rules/rules.toml"
PHONE = 'phone = "latest"'

SITE_FAULTS = [
    # what stands there, what is written instead, the key, a part of message or hint
    ('name = "taipei"', 'name = "Tai pei"', "name", "a small letter"),
    ("number = 1\n", "number = 1024\n", "number", "1023"),
    ("number = 1\n", 'number = "1"\n', "number", "integer"),
    ("number = 1\n", "number = true\n", "number", "integer"),
    ('role = "headquarters"', 'role = "head"', "role", "'headquarters' or 'branch'"),
    ('"UTC"', '"Asia/Taibei"', "time_zone", "Asia/Taibei"),
    ('languages = ["en"]', 'languages = ["en", "fr"]', "languages.1", "zh-hant"),
    ('languages = ["en"]', 'languages = ["en", "en"]', "languages", "twice"),
    ('languages = ["en"]', "languages = []", "languages", "at least 1"),
    ('languages = ["en"]', 'languages = ["zh-hans", "en"]', "title.zh-hans", "missing"),
    ('title = { en = "Taipei" }', 'title = { en = "" }', "title.en", "at least 1"),
    ('currency = "USD"', 'currency = "NT$"', "currency", "ISO 4217"),
    ('currency = "USD"', "", "currency", "missing"),
    ("port = 26001", "port = 0", "database.port", "greater than or equal to 1"),
    ("port = 26001", "port = 65536", "database.port", "65535"),
    ('host = "127.0.0.1"', 'host = "db:5432/x"', "database.host", "db:5432/x"),
    ('rate = "100Mbit"', 'rate = "100Mbps"', "peers.us.rate", "Mbps"),
    ('rate = "100Mbit"', "rate = 100", "peers.us.rate", "10Mbit"),
    ("[keys]", '[limits]\nheld_wal_bytes = "4Gb"\n[keys]', "limits.held_wal_bytes", "Gb"),
    ("[keys]", '[limits]\nheld_wal_bytes = "0GB"\n[keys]', "limits.held_wal_bytes", "above zero"),
    ("[keys]", "[limits]\nmessage_seconds = 0\n[keys]", "limits.message_seconds", "greater"),
    ("[keys]\ndirectory", "[keys]\ndirectroy", "keys.directroy", "did you mean directory?"),
    ("[web]", "[wed]", "wed", "did you mean web?"),
    ('name = "crm"', 'password = "hunter2"', "database.password", "password_file"),
    ('rate = "100Mbit"', 'passwd = "hunter2"', "peers.us.passwd", "password_file"),
    ("[broker]", "[broker]\nbanana = 1", "broker.banana", "the keys are host, port"),
    ('password_file = "', 'password_file = 5 # "', "database.password_file", "not a path"),
]


@pytest.mark.parametrize(("old", "new", "key", "said"), SITE_FAULTS)
def test_a_fault_of_a_site_is_named(change: Breaker, faults: Faults, old: str, new: str, key: str, said: str) -> None:
    change(TAIPEI, old, new)
    assert any(
        fault.file == TAIPEI and fault.key == key and said in fault.message + fault.hint for fault in faults()
    ), faults()


RULE_FAULTS = [
    (PHONE, 'phone = "newest"', "column.phone.rule", "'least' or 'frozen'"),
    (PHONE, 'phone = { rule = "site" }', "column.phone.site", "whose value wins"),
    (PHONE, 'phone = { rule = "site", site = "tapei" }', "column.phone.site", "no site is called tapei"),
    (PHONE, 'phone = { rule = "latest", site = "us" }', "column.phone.site", "takes no site"),
    (PHONE, 'phone = { rule = "latest", sight = "us" }', "column.phone.sight", "did you mean site?"),
    (PHONE, '"" = "latest"', 'column.""', "no name that PostgreSQL takes"),
    (PHONE, f'{"x" * 64} = "latest"', f"column.{'x' * 64}", "63"),
    (PHONE, 'owner_site = "owner"', "column.owner_site", "latest or site"),
    (PHONE, 'owner_site = "frozen"', "column.owner_site", "a former owner could keep its authority"),
    (PHONE, 'owner_site = { owned_by.us = "latest" }', "column.owner_site", "who may write it"),
    (PHONE, 'owner_site = { written_by.us = "owner" }', "column.owner_site", "who may write it"),
    (PHONE, 'phone = { review = "yes" }', "column.phone.review", "boolean"),
    (PHONE, 'phone = { owned_by.uk = "latest" }', "column.phone.owned_by.uk", "no site is called uk"),
    (PHONE, 'phone = { owned_by.us = "counter" }', "column.phone.owned_by.us.rule", "compare stamps alone"),
    (PHONE, 'phone = { owned_by.us = "site" }', "column.phone.owned_by.us.site", "whose value wins"),
    (PHONE, 'phone = { owned_by.us = { rule = "owner", site = "us" } }', "column.phone.owned_by.us.site", "no site"),
    (PHONE, 'phone = { rule = "set", owned_by.us = "latest" }', "column.phone.owned_by", "the same for every owner"),
    (PHONE, 'phone = { written_by.uk = "site" }', "column.phone.written_by.uk", "no site is called uk"),
    (PHONE, 'phone = { written_by.us = "greatest" }', "column.phone.written_by.us", "Only such rules"),
    (PHONE, 'phone = { written_by.us = "newest" }', "column.phone.written_by.us", "'latest', 'site' or 'owner'"),
    (PHONE, 'phone = { written_by = "us" }', "column.phone.written_by", '{ us = "site" }'),
    (PHONE, 'phone = { rule = "set", written_by.us = "latest" }', "column.phone.written_by", "same for every writer"),
    (PHONE, f'{PHONE}\n[table."public.customer".renamed]\na = "b"\nb = "a"', "renamed.a", "goes round in a circle"),
    (PHONE, f'{PHONE}\n[table."public.customer".renamed]\na = "c"\nb = "c"', "renamed", "2 columns are now c"),
    (
        PHONE,
        f'{PHONE}\ntel = "latest"\n[table."public.customer".renamed]\ntel = "phone"',
        "column",
        "tel has rules under two of its names",
    ),
    (PHONE, "phone = { generation = 0 }", "column.phone.generation", "greater than or equal to 1"),
    (PHONE, 'phone = { generation = "2" }', "column.phone.generation", "integer"),
    (PHONE, 'phone = { generation = 2, was = "newest" }', "column.phone.was.0", "'least' or 'frozen'"),
    (PHONE, 'phone = { was = "counter" }', "column.phone.was", "1 for 0 earlier generations"),
    (PHONE, 'phone = { generation = 3, was = "counter" }', "column.phone.was", "1 for 2 earlier generations"),
    (PHONE, 'phone = { share = ["uk"] }', "column.phone.share", "no site is called uk"),
    (PHONE, "phone = { share = [] }", "column.phone.share.sites", "one site or more"),
    (PHONE, 'phone = { share = ["Taipei!"] }', "column.phone.share.sites.0", "pattern"),
    (PHONE, 'phone = { share = { colunm = "city" } }', "column.phone.share.colunm", "did you mean column?"),
    (PHONE, 'phone = { share = { column = "city" } }', "column.phone.share", "either sites, or a column and a map"),
    (PHONE, 'phone = { share = { map = { a = ["us"] } } }', "column.phone.share", "either sites, or"),
    (PHONE, "phone = { share = {} }", "column.phone.share", "either sites, or"),
    (
        PHONE,
        'phone = { share = { sites = ["us"], column = "city", map = { a = ["us"] } } }',
        "column.phone.share",
        "either sites, or",
    ),
    (
        PHONE,
        'phone = { share = { column = "city", map = { "New York" = ["uk"] } } }',
        'column.phone.share.map."New York"',
        "no site is called uk",
    ),
    (
        PHONE,
        'phone = { share = { column = "owner_site", map = { uk = ["us"] } } }',
        "column.phone.share.map.uk",
        "no site is called uk",
    ),
    (
        PHONE,
        'phone = { share = { column = "owner_site", map = { us = ["taipei"] } } }',
        "column.phone.share.map.us",
        "would not receive its own rows",
    ),
    (PHONE, 'phone = { mask = "hash" }', "column.phone.mask", "hides nothing"),
    (PHONE, 'phone = { share = ["us"], mask = "hush" }', "column.phone.mask", "'hush' is no mask"),
    (PHONE, 'phone = { share = ["us"], mask = { part = 0 } }', "column.phone.mask", "last 4 characters"),
    (PHONE, 'phone = { share = ["us"], mask = { part = true } }', "column.phone.mask", "is no mask"),
    (PHONE, 'phone = { rule = "site", site = "taipei", share = ["us"] }', "column.phone.share", "taipei has authority"),
    (
        PHONE,
        'phone = { owned_by.us = { rule = "site", site = "taipei" }, share = ["us"] }',
        "column.phone.share",
        "taipei has authority",
    ),
    (PHONE, 'owner_site = { share = ["us"] }', "column.owner_site.share", "the rules themselves read this column"),
    (
        PHONE,
        'city = { share = ["us"] }\nphone = { share = { column = "city", map = { a = ["us"] } } }',
        "column.city.share",
        "the rules themselves read this column",
    ),
    ("owner =", 'share = ["us", "uk"]\nowner =', "share", "no site is called uk"),
    ("owner =", 'share = { column = "owner_site", map = { us = [] } }\nowner =', "share.map.us", "for example { us"),
    ("owner =", 'unique.phone_key = "merk"\nowner =', "unique.phone_key.outcome", "'mark', 'null' or 'hide'"),
    ("owner =", "unique.phone_key = { revew = true }\nowner =", "unique.phone_key.revew", "did you mean review?"),
    ("owner =", 'parent.city_fkey = "stays"\nowner =', "parent.city_fkey", "'returns', 'falls' or 'null'"),
    ("owner =", "ownr =", "ownr", "did you mean owner?"),
    ("owner =", 'delete = "maybe"\nowner =', "delete", "'stamp', 'wins' or 'loses'"),
    ("owner =", 'groups = { money = ["a", "b"], more = ["b", "c"] }\nowner =', "groups.money", "b is grouped"),
    ("owner =", 'groups = { money = ["a", "a"] }\nowner =', "groups.money", "a is grouped more than once"),
    ("owner =", 'groups = { money = ["a"] }\nowner =', "groups.money", "at least 2"),
    ("owner =", 'groups = { money = ["phone", 5] }\nowner =', "groups.money.1", "string"),
    ("owner =", 'groups = { phone = ["a", "b"] }\nowner =', "column.phone", "is a group, not a column"),
]


@pytest.mark.parametrize(("old", "new", "key", "said"), RULE_FAULTS)
def test_a_fault_of_a_rule_is_named(change: Breaker, faults: Faults, old: str, new: str, key: str, said: str) -> None:
    change(RULES, old, new)
    place = f'table."public.customer".{key}'
    assert any(
        fault.file == RULES and fault.key == place and said in fault.message + fault.hint for fault in faults()
    ), faults()


def test_the_columns_of_a_group_have_one_rule(change: Breaker, faults: Faults) -> None:
    change(RULES, "owner =", 'groups = { reach = ["phone", "fax"] }\nowner =')
    change(RULES, PHONE, 'phone = "owner"')
    (fault,) = faults()
    assert fault.key.endswith("groups.reach")
    assert fault.hint == "give each of phone, fax the same rule"


@pytest.mark.parametrize("rule", sorted(set(COLUMN_RULES) - STAMP_ORDERED))
def test_a_group_takes_no_rule_that_settles_each_column_by_itself(change: Breaker, faults: Faults, rule: str) -> None:
    change(RULES, "owner =", 'groups = { reach = ["phone", "fax"] }\nowner =')
    change(RULES, PHONE, f'phone = "{rule}"\nfax = "{rule}"')
    (fault,) = faults()
    assert fault.key.endswith("groups.reach")
    assert fault.message == f"the rule {rule} settles each column by itself"


@pytest.mark.parametrize("beside", ["review = true", 'owned_by.us = "owner"', 'share = ["us"]'])
def test_the_columns_of_a_group_agree_in_all_but_the_mask(change: Breaker, faults: Faults, beside: str) -> None:
    change(RULES, "owner =", 'groups = { reach = ["phone", "fax"] }\nowner =')
    change(RULES, PHONE, f"phone = {{ {beside} }}")
    (fault,) = faults()
    assert (fault.key.rpartition(".")[2], fault.message) == ("reach", "its columns have different rules")


def test_the_masks_of_a_groups_columns_may_differ(directory: Path, change: Breaker) -> None:
    change(RULES, "owner =", 'groups = { reach = ["phone", "fax"] }\nowner =')
    change(RULES, PHONE, 'phone = { share = ["us"], mask = { part = 3 } }\nfax = { share = ["us"] }')
    assert load(directory).rules.table("public.customer").column("fax").mask == Mask("nothing")


def test_a_group_may_be_called_after_one_of_its_columns(directory: Path, change: Breaker) -> None:
    change(RULES, "owner =", 'groups = { phone = ["phone", "fax"] }\nowner =')
    assert load(directory).rules.table("public.customer").groups == {"phone": ("phone", "fax")}


def test_a_column_is_shared_only_with_those_who_receive_the_row(change: Breaker, faults: Faults) -> None:
    change(RULES, "owner =", 'share = ["us", "berlin"]\nowner =')
    change(RULES, PHONE, 'phone = { share = ["us", "taipei"] }')
    (fault,) = faults()
    assert (fault.key.endswith("column.phone.share"), fault.message) == (True, "taipei does not receive the rows")


def test_a_rule_that_differs_by_owner_needs_an_owner_column(change: Breaker, faults: Faults) -> None:
    change(RULES, 'owner = "owner_site"\n', "")
    change(RULES, PHONE, 'phone = { owned_by.us = "latest" }')
    (fault,) = faults()
    assert fault.message == "a rule that differs by owner needs an owner column"


def test_a_writer_who_has_authority_over_its_own_rows_needs_an_owner_column(change: Breaker, faults: Faults) -> None:
    change(RULES, 'owner = "owner_site"\n', "")
    change(RULES, PHONE, 'phone = { written_by.us = "owner" }')
    (fault,) = faults()
    assert (fault.key.endswith("column.phone.written_by.us"), fault.message) == (
        True,
        "the rule owner needs an owner column",
    )


def test_the_owner_rule_needs_an_owner_column(change: Breaker, faults: Faults) -> None:
    change(RULES, 'owner = "owner_site"\n', "")
    change(RULES, PHONE, 'phone = "owner"')
    (fault,) = faults()
    assert "needs an owner column" in fault.message


def test_a_table_is_named_with_its_schema(change: Breaker, faults: Faults) -> None:
    change(RULES, '[table."public.customer"]', '[table."customer"]')
    assert any("names no schema" in fault.message for fault in faults())


@pytest.mark.parametrize("file", [TAIPEI, RULES, "local.toml"])
def test_a_file_that_is_no_toml_is_named_with_its_line(directory: Path, faults: Faults, file: str) -> None:
    (directory / file).write_text('one = 1\ntwo = "2', encoding="utf-8")
    fault = next(fault for fault in faults() if fault.file == file)
    assert fault.key.startswith("line 2") or fault.key == "end of document"


def test_a_file_that_is_no_utf_8_is_named(directory: Path, faults: Faults) -> None:
    (directory / TAIPEI).write_bytes(b'name = "\xff"')
    assert Fault(TAIPEI, "byte 8", "not UTF-8", "save the file as UTF-8") in faults()


def test_a_file_that_cannot_be_read_is_named(directory: Path, faults: Faults) -> None:
    (directory / RULES).unlink()
    (directory / RULES).mkdir()
    (fault,) = faults()
    assert (fault.file, fault.message) == (RULES, "Is a directory")


def test_the_local_file_is_checked_too(change: Breaker, faults: Faults) -> None:
    change("local.toml", "epmd_port", "epdm_port")
    assert {(fault.key, fault.hint) for fault in faults()} == {
        ("epdm_port", "did you mean epmd_port?"),
        ("epmd_port", ""),
    }

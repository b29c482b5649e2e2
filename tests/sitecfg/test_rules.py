"""What the rules files say, and what follows from it."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from sitecfg import ColumnRule, Mask, Rules, Share, TableRules, UniqueRule, load, rules_file
from sitecfg.example import write

RULES = """
[table."public.orders"]
owner = "owner_site"
delete = "loses"
groups = { money = ["amount", "currency"] }
[table."public.orders".column]
amount = "owner"
currency = { rule = "owner" }
credit = { rule = "site", site = "east" }
[table."Verkäufe.Kunde & Co."]
[local]
tables = ["public.django_*"]
"""


def read(tmp_path: Path, rules: str, *more: str) -> Rules:
    return load(write(tmp_path / "config", sites=["east", "west", *more], base_port=26000, rules=rules)).rules


def column(tmp_path: Path, rule: str) -> ColumnRule:
    rules = f'[table."a.b"]\nowner = "owner_site"\n[table."a.b".column]\nx = {rule}\n'
    return read(tmp_path, rules).table("a.b").column("x")


def test_rules_are_read_as_written(tmp_path: Path) -> None:
    rules = read(tmp_path, RULES)
    orders = rules.table("public.orders")
    assert (orders.owner, orders.delete, orders.groups) == ("owner_site", "loses", {"money": ("amount", "currency")})
    assert orders.column("currency") == ColumnRule("owner")
    assert orders.column("credit") == ColumnRule("site", "east")
    assert orders.column("note") == ColumnRule("latest")
    assert rules.replicated == ("Verkäufe.Kunde & Co.", "public.orders")


def test_the_shape_that_the_documentation_shows_is_valid(tmp_path: Path) -> None:
    assert rules_file.__doc__ is not None
    shown = rules_file.__doc__.split("```")[1].removeprefix("toml")
    rules = read(tmp_path, shown, "us", "taipei", "shanghai")
    assert rules.table("public.customer").column("card").mask == Mask("part", 4)


@pytest.mark.parametrize("rule", ["counter", "set", "append", "greatest", "least", "frozen", "latest", "owner"])
def test_a_rule_is_named_in_short_or_spelt_out(tmp_path: Path, rule: str) -> None:
    assert column(tmp_path, f'"{rule}"') == column(tmp_path, f'{{ rule = "{rule}" }}') == ColumnRule(rule)


def test_review_stands_beside_any_rule_and_alone(tmp_path: Path) -> None:
    assert column(tmp_path, '{ rule = "counter", review = true }') == ColumnRule("counter", review=True)
    assert column(tmp_path, "{ review = true }") == ColumnRule(review=True)


def test_a_rule_may_differ_by_the_rows_owner(tmp_path: Path) -> None:
    rule = column(
        tmp_path, '{ rule = "owner", owned_by.east = { rule = "site", site = "west" }, owned_by.west = "latest" }'
    )
    assert rule == ColumnRule("owner", owned_by={"east": ColumnRule("site", "west"), "west": ColumnRule()})


def test_a_rule_may_differ_by_the_site_that_writes(tmp_path: Path) -> None:
    rule = column(tmp_path, '{ rule = "owner", written_by.east = "site", written_by.west = "latest" }')
    assert rule == ColumnRule("owner", written_by={"east": "site", "west": "latest"})
    assert rule.names == {"owner", "site", "latest"}


def test_a_rule_that_was_changed_says_in_which_generation_it_is_and_what_it_was(tmp_path: Path) -> None:
    rule = column(tmp_path / "1", '{ rule = "counter", generation = 2, was = "latest" }')
    assert rule == ColumnRule("counter", generation=2, was=("latest",))
    assert rule.kinds == ("latest", "counter")
    same = column(tmp_path / "2", '{ rule = "site", site = "west", generation = 3, was = ["site", "site"] }')
    assert same == column(tmp_path / "3", '{ rule = "site", site = "west", generation = 3 }')
    assert same.kinds == ("site",) * 3


def test_a_renamed_column_is_the_same_under_each_of_its_names(tmp_path: Path) -> None:
    renamed = """
        [table."a.b"]
        owner = "home"
        renamed = { site = "home", tel = "phone", phone = "mobile" }
        groups.g = ["mobile", "x"]
        [table."a.b".column]
        phone = "owner"
        x = "owner"
        """
    plain = PLAIN.replace('owner = "o"', 'owner = "site"\ngroups.g = ["tel", "x"]') + 'tel = "owner"\n'
    rules = read(tmp_path / "1", renamed)
    table = rules.table("a.b")
    assert [table.column(name).rule for name in ("tel", "phone", "mobile", "y")] == ["owner"] * 3 + ["latest"]
    assert (table.owner, table.groups) == ("site", {"g": ("tel", "x")})
    assert rules.version == read(tmp_path / "2", plain).version, "what travels is the same"


def test_who_receives_the_rows_is_named_by_site_or_by_a_column(tmp_path: Path) -> None:
    table = '[table."a.b"]\nshare = '
    assert read(tmp_path / "1", f'{table}["west", "east"]').table("a.b").share == Share(("east", "west"))
    assert read(tmp_path / "2", f'{table}{{ sites = ["west"] }}').table("a.b").share == Share(("west",))
    by_column = read(tmp_path / "3", f'{table}{{ column = "city", map = {{ "" = ["west"] }} }}').table("a.b").share
    assert by_column == Share(column="city", by_value={"": ("west",)})
    assert read(tmp_path / "4", '[table."a.b"]').table("a.b").share is None


def test_a_share_by_name_reaches_those_sites_alone() -> None:
    share = Share(("east",))
    assert [share.reaches(site, value) for site in ("east", "west") for value in ("x", None)] == [
        True,
        True,
        False,
        False,
    ]


def test_a_share_by_column_reaches_all_sites_where_the_map_is_silent() -> None:
    share = Share(column="city", by_value={"Berlin": ("east",)})
    assert share.reaches("east", "Berlin")
    assert not share.reaches("west", "Berlin")
    assert share.reaches("west", "Bern")
    assert share.reaches("west", None)


@pytest.mark.parametrize(
    ("beside", "mask"),
    [
        ("", Mask("nothing")),
        (', mask = "nothing"', Mask("nothing")),
        (', mask = "hash"', Mask("hash")),
        (", mask = { part = 4 }", Mask("part", 4)),
    ],
)
def test_who_does_not_receive_a_column_gets_its_mask_or_nothing(tmp_path: Path, beside: str, mask: Mask) -> None:
    assert column(tmp_path, f'{{ share = ["west"]{beside} }}') == ColumnRule(share=Share(("west",)), mask=mask)


def test_unique_keys_and_parents_have_rules_by_their_names(tmp_path: Path) -> None:
    table = read(
        tmp_path,
        """
        [table."a.b"]
        unique.one = "mark"
        unique.two = { outcome = "null", review = true }
        parent.three = "falls"
        """,
    ).table("a.b")
    assert (table.unique_key("one"), table.unique_key("two")) == (UniqueRule("mark"), UniqueRule("null", review=True))
    assert (table.parent("three"), table.parent("four")) == ("falls", "returns")
    assert table.unique_key("four") == UniqueRule("hide")


def test_a_table_that_no_file_names_has_the_defaults(tmp_path: Path) -> None:
    table = read(tmp_path, "").table("bank.branches")
    assert table == TableRules()
    assert (table.owner, table.delete, table.column("any"), table.share) == (None, "stamp", ColumnRule("latest"), None)


def test_rules_turn_into_plain_data(tmp_path: Path) -> None:
    shown = asdict(column(tmp_path, '{ owned_by.east = "owner", share = { column = "c", map = { a = ["west"] } } }'))
    assert json.loads(json.dumps(shown))["share"]["by_value"] == {"a": ["west"]}


def test_local_tables_are_named_by_patterns(tmp_path: Path) -> None:
    rules = read(tmp_path, RULES)
    assert rules.is_local("public.django_session")
    assert not rules.is_local("public.orders")


PLAIN = '[table."a.b"]\nowner = "o"\n[table."a.b".column]\nx = "owner"\n'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('owner = "o"', 'owner = "p"'),
        ('owner = "o"', 'owner = "o"\ndelete = "wins"'),
        ('owner = "o"', 'owner = "o"\nshare = ["east"]'),
        ('owner = "o"', 'owner = "o"\nunique.k = "mark"'),
        ('owner = "o"', 'owner = "o"\nunique.k = { review = true }'),
        ('owner = "o"', 'owner = "o"\nparent.k = "null"'),
        ('owner = "o"', 'owner = "o"\ngroups.g = ["y", "z"]'),
        ('"owner"', '"frozen"'),
        ('"owner"', '{ rule = "owner", review = true }'),
        ('"owner"', '{ rule = "owner", generation = 2 }'),
        ('"owner"', '{ rule = "owner", generation = 2, was = "site" }'),
        ('"owner"', '{ rule = "owner", owned_by.east = "latest" }'),
        ('"owner"', '{ rule = "owner", owned_by.west = "latest" }'),
        ('"owner"', '{ rule = "owner", owned_by.west = { rule = "site", site = "west" } }'),
        ('"owner"', '{ rule = "owner", written_by.east = "site" }'),
        ('"owner"', '{ rule = "owner", written_by.east = "latest" }'),
        ('"owner"', '{ rule = "owner", written_by.west = "latest" }'),
        ('"owner"', '{ rule = "owner", share = ["west"] }'),
        ('"owner"', '{ rule = "owner", share = ["east", "west"] }'),
        ('"owner"', '{ rule = "owner", share = { column = "c", map = { a = ["west"] } } }'),
        ('"owner"', '{ rule = "owner", share = ["west"], mask = "hash" }'),
        ('"owner"', '{ rule = "owner", share = ["west"], mask = { part = 1 } }'),
        ('"owner"', '{ rule = "owner", share = ["west"], mask = { part = 2 } }'),
        (PLAIN, PLAIN + '[table."a.c"]\n'),
    ],
)
def test_the_rules_version_changes_with_each_rule(tmp_path: Path, old: str, new: str) -> None:
    assert read(tmp_path / "1", PLAIN).version != read(tmp_path / "2", PLAIN.replace(old, new)).version


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('owner = "o"', 'delete = "stamp"\nowner = "o" # a remark'),
        ('owner = "o"', 'owner = "o"\nunique.k = "hide"\nparent.k = "returns"'),
        ('x = "owner"', 'y = "latest"\nx = { rule = "owner", review = false }'),
        ('x = "owner"', 'x = { rule = "owner", generation = 1, was = [] }'),
        (PLAIN, PLAIN + '[local]\ntables = ["public.django_*"]'),
    ],
)
def test_the_rules_version_stays_where_no_rule_changes(tmp_path: Path, old: str, new: str) -> None:
    assert read(tmp_path / "1", PLAIN).version == read(tmp_path / "2", PLAIN.replace(old, new)).version


def test_the_order_of_a_shares_sites_is_no_rule(tmp_path: Path) -> None:
    one, other = (f'[table."a.b"]\nshare = {sites}' for sites in (["east", "west"], ["west", "east"]))
    assert read(tmp_path / "1", one).version == read(tmp_path / "2", other).version

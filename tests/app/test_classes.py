"""Every field of the tables about people has a class, and the rule that is offered for them covers what is personal."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from crm.customers.classes import CLASSES
from sitecfg.database import catalog
from sitecfg.database.judgement import database_faults
from sitecfg.rule_faults import rule_faults
from sitecfg.rules import Rules, TableRules
from sitecfg.rules_file import RulesFile, as_rules

SITECFG = Path(__file__).resolve().parents[2] / "sitecfg"
SITES = frozenset({"taipei", "kaohsiung", "shanghai", "us"})


def joined(left: Any, right: Any) -> Any:
    if not (isinstance(left, dict) and isinstance(right, dict)):
        return right
    return {
        name: joined(left[name], right[name]) if name in left and name in right else left.get(name, right.get(name))
        for name in left | right
    }


def offered() -> dict[str, TableRules]:
    """The project's rules with the lines of the page added, which contradict nothing."""
    page = re.findall(r"```toml\n(.*?)```", (SITECFG / "RESIDENCY.md").read_text(), re.DOTALL)
    added = tomllib.loads("\n".join(page))
    file = RulesFile.model_validate(joined(tomllib.loads((SITECFG / "rules" / "crm.toml").read_text()), added))
    for name in added["table"]:
        assert list(rule_faults(file.table[name], SITES)) == [], name
    return {name: as_rules(table) for name, table in file.table.items()}


def test_the_tables_can_bear_the_rule_that_is_offered(database: None) -> None:
    port = connection.settings_dict["PORT"]
    rules = Rules(offered())
    with catalog.connect(f"host=127.0.0.1 port={port} user=postgres dbname=crm") as session:
        found = catalog.read(session, rules.replicated)
    assert list(database_faults(rules, SITES, found)) == []


@pytest.mark.parametrize("label", CLASSES)
def test_every_field_has_a_class(label: str) -> None:
    fields = {field.name for field in apps.get_model(label)._meta.get_fields() if field.concrete}
    assert fields == CLASSES[label].keys()


@pytest.mark.parametrize("label", CLASSES)
def test_the_rule_that_is_offered_keeps_what_is_personal(label: str) -> None:
    rules = offered()[f"public.{apps.get_model(label)._meta.db_table}"]
    for name, its_class in CLASSES[label].items():
        shares = [share for share in (rules.share, rules.column(name).share) if share is not None]
        kept = any(not share.reaches("taipei", "shanghai") for share in shares)
        assert kept == (its_class != "plain") or rules.share is not None, name
        assert all(share.reaches("taipei", "taipei") for share in shares), "other branches' rows travel as ever"

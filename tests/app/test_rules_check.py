"""Every model travels under rules or is declared local."""

from django.apps import apps

from crm.accounts.models import User
from crm.core.checks import check_rules, faults_of
from sitecfg import Rules, TableRules

USER = "public.accounts_user"


def codes(rules: Rules, *models: type) -> list[str]:
    return [str(fault.id) for fault in faults_of(models or [User], rules)]


def test_the_project_as_it_is_passes() -> None:
    assert check_rules(None) == []


def test_a_model_that_nobody_thought_of_is_an_error_with_a_hint() -> None:
    (fault,) = faults_of([User], Rules())
    assert fault.id == "kuroshio.E001"
    assert "sitecfg/rules" in str(fault.hint)


def test_a_table_cannot_travel_and_stay() -> None:
    assert codes(Rules({USER: TableRules()}, ("public.*",))) == ["kuroshio.E002"]


def test_what_travels_has_a_key_made_where_the_row_is_made() -> None:
    session = apps.get_model("sessions", "Session")
    assert codes(Rules({"public.django_session": TableRules()}), session) == ["kuroshio.E003"]


def test_a_replicated_model_is_not_declared_local() -> None:
    assert codes(Rules({}, (USER,))) == ["kuroshio.E004"]

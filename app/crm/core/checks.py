"""System checks: every table of the CRM either travels under declared rules or is declared local.

A table that nobody thought of would stay at its site in silence, and be missed when it is needed.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, register
from django.db.models import Model

from crm.core.models import Replicated
from crm.core.sites import config
from sitecfg import Rules


@register()
def check_rules(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check every model of the project against the rules in sitecfg."""
    checked = app_configs or apps.get_app_configs()
    models = [model for app in checked for model in app.get_models(include_auto_created=True)]
    return list(faults_of(models, config().rules))


def faults_of(models: Iterable[type[Model]], rules: Rules) -> Iterable[CheckMessage]:
    """What is wrong between the models and the rules."""
    for model in models:
        table = f"public.{model._meta.db_table}"  # noqa: SLF001  (Django documents _meta)
        fault = _fault(table, rules, derived=issubclass(model, Replicated))
        if fault and model._meta.managed and not model._meta.proxy:  # noqa: SLF001
            code, told, hint = fault
            yield Error(f"{table} {told}", hint=hint, obj=model, id=f"kuroshio.{code}")


def _fault(table: str, rules: Rules, *, derived: bool) -> tuple[str, str, str] | None:
    """The code, the fault and the way out; `derived` says that the model is a Replicated one."""
    travels, stays = table in rules.replicated, rules.is_local(table)
    if not travels and not stays:
        hint = f'add [table."{table}"] to a file in sitecfg/rules, or the name to its [local] tables'
        return "E001", "is neither under replication rules nor declared local", hint
    if travels and stays:
        return "E002", "is both under replication rules and declared local", "keep one of the two"
    if travels and not derived:
        hint = "derive the model from crm.core.models.Replicated: a UUID key and an owner_site"
        return "E003", "travels, but its model is not a Replicated one", hint
    if stays and derived:
        hint = "take it out of [local] tables, or derive the model from django.db.models.Model"
        return "E004", "is declared local, but its model is a Replicated one", hint
    return None

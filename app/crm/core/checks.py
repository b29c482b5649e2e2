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
    models = [model for app in app_configs or apps.get_app_configs() for model in app.get_models(include_auto_created=True)]
    return list(faults_of(models, config().rules))


def faults_of(models: Iterable[type[Model]], rules: Rules) -> Iterable[CheckMessage]:
    """What is wrong between the models and the rules."""
    for model in models:
        if model._meta.proxy or not model._meta.managed:  # noqa: SLF001  (Django documents _meta)
            continue
        table = f"public.{model._meta.db_table}"  # noqa: SLF001
        travels, stays = table in rules.replicated, rules.is_local(table)
        if not travels and not stays:
            yield Error(
                f"{table} is neither under replication rules nor declared local",
                hint=f'add [table."{table}"] to a file in sitecfg/rules, or the name to its [local] tables',
                obj=model,
                id="kuroshio.E001",
            )
        elif travels and stays:
            yield Error(f"{table} is both under replication rules and declared local", hint="keep one", obj=model, id="kuroshio.E002")
        elif travels and not issubclass(model, Replicated):
            yield Error(
                f"{table} travels, but its model is not a Replicated one",
                hint="derive it from crm.core.models.Replicated: a UUID key and an owner_site",
                obj=model,
                id="kuroshio.E003",
            )
        elif stays and issubclass(model, Replicated):
            yield Error(
                f"{table} is declared local, but its model is a Replicated one",
                hint="take it out of [local] tables, or derive the model from django.db.models.Model",
                obj=model,
                id="kuroshio.E004",
            )

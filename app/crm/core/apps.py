"""The app of what all domains share."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """Base models, checks and the look."""

    name = "crm.core"

    def ready(self) -> None:
        from crm.core import checks  # noqa: F401  (registers the system checks)

"""The app of this domain."""

from django.apps import AppConfig


class ActivitiesConfig(AppConfig):
    """Visits, calls and what else was said."""

    name = "crm.activities"

"""The app of this domain."""

from django.apps import AppConfig


class ReportsConfig(AppConfig):
    """Figures across the sites."""

    name = "crm.reports"

"""The app of this domain."""

from django.apps import AppConfig


class HistoryConfig(AppConfig):
    """Who changed what, where and when."""

    name = "crm.history"

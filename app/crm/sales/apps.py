"""The app of this domain."""

from django.apps import AppConfig


class SalesConfig(AppConfig):
    """Orders and their lines."""

    name = "crm.sales"

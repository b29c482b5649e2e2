"""The app of this domain."""

from django.apps import AppConfig


class CustomersConfig(AppConfig):
    """Companies and households, and the people to talk to there."""

    name = "crm.customers"

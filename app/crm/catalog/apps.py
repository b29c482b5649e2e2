"""The app of this domain."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """Products."""

    name = "crm.catalog"

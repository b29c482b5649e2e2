"""The app of this domain."""

from django.apps import AppConfig


class OpsConfig(AppConfig):
    """The console of those who watch replication."""

    name = "crm.ops"

"""The app of the sample data: commands alone, no tables."""

from django.apps import AppConfig


class DemoConfig(AppConfig):
    """Brings `demo_data` and `replay`."""

    name = "crm.demo"

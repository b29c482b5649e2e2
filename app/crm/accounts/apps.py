"""The app of this domain."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """People who work with the CRM: log-in, role by code, language and time zone."""

    name = "crm.accounts"

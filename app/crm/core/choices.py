"""Codes that several domains share, with the words that people read."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Language(models.TextChoices):
    """The languages of the interface, named in themselves."""

    ZH_HANT = "zh-hant", "繁體中文"
    ZH_HANS = "zh-hans", "简体中文"
    EN = "en", "English"


class TextLanguage(models.TextChoices):
    """The language of a name as BCP 47 writes it, for the `lang` attribute."""

    ZH_HANT = "zh-Hant", _("Chinese, Traditional")
    ZH_HANS = "zh-Hans", _("Chinese, Simplified")
    EN = "en", _("English")
    JA = "ja", _("Japanese")
    OTHER = "und", _("Other")


class Currency(models.TextChoices):
    """ISO 4217 codes that are offered; screens always show the code itself."""

    TWD = "TWD", "TWD"
    CNY = "CNY", "CNY"
    USD = "USD", "USD"
    EUR = "EUR", "EUR"
    JPY = "JPY", "JPY"
    HKD = "HKD", "HKD"

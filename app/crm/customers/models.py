"""Companies and households, and the people to talk to there.

A name is kept in its own script with its language, beside a Latin form; neither is ever made from
the other by itself, because people and authorities choose them. `search_text` is the folded text
that the search reads (see `crm.core.folding`); the services write it with the row.
"""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.core.choices import Currency, TextLanguage
from crm.core.models import Replicated, Sourced
from crm.core.postgres import gram_index


class Kind(models.TextChoices):
    """What sort of customer it is."""

    COMPANY = "company", _("Company")
    HOUSEHOLD = "household", _("Household")


class Stage(models.TextChoices):
    """Where the customer is in its life with us."""

    PROSPECT = "prospect", _("Prospect")
    FIRST = "first", _("First purchase")
    REPEAT = "repeat", _("Repeat customer")
    LAPSED = "lapsed", _("Lapsed")


class Customer(Replicated, Sourced):
    """A company or a household; it belongs to `owner_site`."""

    kind = models.CharField(_("kind"), max_length=15, choices=Kind, default=Kind.COMPANY)
    name = models.CharField(_("name"), max_length=200)
    name_lang = models.CharField(
        _("language of the name"), max_length=7, choices=TextLanguage, default=TextLanguage.ZH_HANT
    )
    latin_name = models.CharField(_("Latin form"), max_length=200, blank=True, default="")
    parent = models.ForeignKey(
        "self", models.PROTECT, verbose_name=_("group"), null=True, blank=True, related_name="members"
    )
    stage = models.CharField(_("stage"), max_length=15, choices=Stage, default=Stage.PROSPECT)
    industry = models.CharField(_("industry or segment"), max_length=80, blank=True, default="")
    tax_id = models.CharField(_("tax number"), max_length=31, blank=True, default="")
    phone = models.CharField(_("phone"), max_length=40, blank=True, default="")
    email = models.EmailField(_("e-mail"), blank=True, default="")
    address = models.CharField(_("address"), max_length=300, blank=True, default="")
    city = models.CharField(_("city"), max_length=80, blank=True, default="")
    country = models.CharField(_("country"), max_length=2, blank=True, default="")
    currency = models.CharField(_("currency"), max_length=3, choices=Currency)
    terms = models.CharField(_("terms of payment"), max_length=80, blank=True, default="")
    credit_limit = models.DecimalField(_("credit limit"), max_digits=14, decimal_places=2, null=True, blank=True)
    credit_currency = models.CharField(
        _("currency of the limit"), max_length=3, choices=Currency, blank=True, default=""
    )
    keeper = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("responsible"),
        null=True,
        blank=True,
        related_name="customers",
    )
    note = models.TextField(_("note"), blank=True, default="")
    search_text = models.TextField(blank=True, default="", editable=False)

    class Meta:
        indexes = (
            models.Index(fields=["updated_at", "id"], name="customer_recent"),
            models.Index(fields=["owner_site", "updated_at", "id"], name="customer_site_recent"),
            models.Index(fields=["owner_site", "created_at"], name="customer_site_since"),
            models.Index(fields=["source", "source_ref"], name="customer_source"),
            gram_index("customer_grams"),
        )

    def __str__(self) -> str:
        return self.name


class Contact(Replicated, Sourced):
    """A person at a customer. Who has left stays on record, no longer active."""

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="contacts")
    name = models.CharField(_("name"), max_length=120)
    name_lang = models.CharField(
        _("language of the name"), max_length=7, choices=TextLanguage, default=TextLanguage.ZH_HANT
    )
    latin_name = models.CharField(_("Latin form"), max_length=120, blank=True, default="")
    job = models.CharField(_("position"), max_length=80, blank=True, default="")
    phone = models.CharField(_("phone"), max_length=40, blank=True, default="")
    mobile = models.CharField(_("mobile"), max_length=40, blank=True, default="")
    email = models.EmailField(_("e-mail"), blank=True, default="")
    is_active = models.BooleanField(_("works there"), default=True)
    note = models.TextField(_("note"), blank=True, default="")
    search_text = models.TextField(blank=True, default="", editable=False)

    class Meta:
        indexes = (
            models.Index(fields=["source", "source_ref"], name="contact_source"),
            gram_index("contact_grams"),
        )

    def __str__(self) -> str:
        return self.name

"""Visits, calls, mails and notes: what passed between us and a customer, and what is planned."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.core.models import Replicated, Sourced
from crm.customers.models import Contact, Customer


class Kind(models.TextChoices):
    """How it took place."""

    VISIT = "visit", _("Visit")
    CALL = "call", _("Call")
    EMAIL = "email", _("E-mail")
    NOTE = "note", _("Note")


class State(models.TextChoices):
    """Whether it is still to come."""

    PLANNED = "planned", _("Planned")
    DONE = "done", _("Done")
    CANCELLED = "cancelled", _("Cancelled")


class Activity(Replicated, Sourced):
    """One visit, call, mail or note; `starts_at` is a moment, shown in each reader's own zone."""

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="activities", db_index=False)
    contact = models.ForeignKey(
        Contact,
        models.PROTECT,
        verbose_name=_("contact"),
        null=True,
        blank=True,
        related_name="activities",
    )
    kind = models.CharField(_("kind"), max_length=15, choices=Kind)
    state = models.CharField(_("state"), max_length=15, choices=State, default=State.DONE)
    subject = models.CharField(_("subject"), max_length=200)
    text_lang = models.CharField(max_length=7, default="und")
    body = models.TextField(_("what was said"), blank=True, default="")
    place = models.CharField(_("place"), max_length=200, blank=True, default="")
    starts_at = models.DateTimeField(_("when"))
    minutes = models.IntegerField(_("minutes"), null=True, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("by"),
        null=True,
        blank=True,
        related_name="activities",
        db_index=False,
    )

    class Meta:
        verbose_name_plural = "activities"
        indexes = (
            models.Index(fields=["customer", "starts_at", "id"], name="activity_customer_when"),
            models.Index(fields=["author", "state", "starts_at"], name="activity_author_when"),
            models.Index(fields=["owner_site", "starts_at", "id"], name="activity_site_when"),
            models.Index(fields=["source", "source_ref"], name="activity_source"),
        )

    def __str__(self) -> str:
        return self.subject

"""A person's preferences, and the account with its log-in name and role."""

from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.accounts.models import User
from crm.accounts.roles import May, role_may
from crm.core.forms import RowForm
from crm.core.words import offset

# One zone for each offset and habit that our sites' people meet; anybody's own is added to it.
ZONES = (
    "Asia/Taipei", "Asia/Shanghai", "Asia/Hong_Kong", "Asia/Tokyo", "Asia/Seoul", "Asia/Singapore", "Asia/Bangkok",
    "Asia/Ho_Chi_Minh", "Asia/Jakarta", "Asia/Kolkata", "Asia/Dubai", "Europe/Moscow", "Europe/Istanbul",
    "Europe/Berlin", "Europe/Paris", "Europe/London", "UTC", "America/Sao_Paulo", "America/New_York",
    "America/Chicago", "America/Denver", "America/Los_Angeles", "Pacific/Honolulu", "Australia/Sydney",
    "Pacific/Auckland",
)  # fmt: skip


def zone_choices(own: str) -> list[tuple[str, str]]:
    """The zones with what their offset is today."""
    zones = ZONES if own in ZONES else (own, *ZONES)
    return [(zone, f"{zone} (UTC{offset(timezone.localtime(timezone=ZoneInfo(zone)))})") for zone in zones]


class PreferencesForm(RowForm[User]):
    """A person's language, zone and name."""

    time_zone = forms.ChoiceField(
        label=_("Time zone"), help_text=_("All times are shown and typed in this zone, wherever they were written.")
    )

    class Meta:
        model = User
        fields: tuple[str, ...] = ("language", "time_zone", "display_name", "latin_name", "name_lang", "email")
        labels = {"latin_name": _("Latin form"), "name_lang": _("language of the name")}  # noqa: RUF012

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = self.fields["time_zone"]
        assert isinstance(zones, forms.ChoiceField)
        zones.choices = zone_choices(self.instance.time_zone)


class AccountForm(PreferencesForm):
    """The same with what others give a person: the log-in name, the role."""

    class Meta(PreferencesForm.Meta):
        fields = ("username", "role", "is_active", *PreferencesForm.Meta.fields)
        labels = {**PreferencesForm.Meta.labels, "role": _("role"), "is_active": _("may log in")}  # noqa: RUF012
        error_messages = {  # noqa: RUF012  (Django's own attribute)
            "username": {"unique": _("Another account has this log-in name.")}
        }


def account_form(user: User) -> type[PreferencesForm]:
    """The form that this person may fill in: their own preferences, or anybody's account."""
    return AccountForm if role_may(user.role, May.EDIT_ACCOUNTS) else PreferencesForm

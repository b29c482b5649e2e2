"""The log-in and a person's preferences."""

from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.accounts.models import User
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
        fields = ("language", "time_zone", "display_name", "latin_name", "name_lang", "email")
        labels = {"latin_name": _("Latin form"), "name_lang": _("language of the name")}  # noqa: RUF012

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = self.fields["time_zone"]
        assert isinstance(zones, forms.ChoiceField)
        zones.choices = zone_choices(self.instance.time_zone)

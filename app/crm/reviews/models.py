"""People's answers to conflicts. The conflicts themselves are each site's own records of its replication.

1. A conflict has the same id at every site (`replication.status.conflict_id`), and an answer has the id of its
   conflict: so one answer closes it everywhere. Two answers given during a cut become one, the later.
2. An answer changes nothing by itself: where it takes the other value, that is an edit of the record.
"""

from uuid import UUID, uuid5

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.core.models import Replicated


class Decision(models.TextChoices):
    """What was answered."""

    ACCEPT = "accept", _("left as it was")
    OTHER = "other", _("took the other value")
    EDIT = "edit", _("wrote something else")


class Settlement(Replicated):
    """The answer to one conflict: who gave it, when, and at which site (`owner_site`)."""

    updated_at = None  # type: ignore[assignment]  # written once

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    decision = models.CharField(max_length=15, choices=Decision)

    def __str__(self) -> str:
        return f"{self.pk}: {self.decision}"


class Seen(Replicated):
    """Somebody whose value lost has seen that it did. The id follows from the two, so once is enough."""

    updated_at = None  # type: ignore[assignment]  # written once

    conflict = models.UUIDField()
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)

    def __str__(self) -> str:
        return f"{self.conflict}"

    @staticmethod
    def key(conflict: UUID, person: UUID) -> UUID:
        return uuid5(conflict, str(person))

"""Who changed what of a record, where and when."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from crm.core.models import Replicated


class Edit(Replicated):
    """What one person saved of one record: the columns that changed, or none for a record that is new.

    `owner_site` is the site where it was saved, `created_at` the time of the transaction. The stamps that the
    transaction gave to the row bear the same time or, where the row was ahead of this site's clock, a little
    later one; so a version of the row can be told its author (`crm.history.authors`).
    """

    updated_at = None  # type: ignore[assignment]  # written once

    table = models.CharField(max_length=63)
    record = models.UUIDField()
    columns = ArrayField(models.CharField(max_length=63), default=list)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)

    class Meta:
        indexes = (
            models.Index(fields=["record", "-created_at"], name="edit_record_when"),
            models.Index(fields=["person", "-created_at"], name="edit_person_when"),
        )

    def __str__(self) -> str:
        return f"{self.table} {self.record}"

"""The base of every replicated model.

1. Its key is a UUID made where the row is made, so two sites never give out the same one.
2. It refers to other replicated rows only, never to an id that one database generated.
3. `owner_site` is the code of the site that the row belongs to; the rules in `sitecfg/rules` decide by it.

PostgreSQL holds one more column in each of these tables, `kuroshio`, with the stamps of the row.
Django does not know it and so never selects or writes it.
"""

import uuid

from django.db import models
from django.utils import timezone


class Replicated(models.Model):
    """A row that travels between the sites."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner_site = models.CharField(max_length=31)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        abstract = True


class Sourced(models.Model):
    """Where an imported row came from: the source's short name, and its key there."""

    source = models.CharField(max_length=31, blank=True, default="")
    source_ref = models.CharField(max_length=63, blank=True, default="")

    class Meta:
        abstract = True

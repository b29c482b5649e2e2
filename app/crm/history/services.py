"""What keeps the history: called by the one way of saving, in the transaction of what is saved."""

from collections.abc import Iterable
from uuid import UUID

from django.contrib.postgres.functions import TransactionNow

from crm.core.models import Replicated
from crm.core.sites import this_site
from crm.history.models import Edit


def record_edit(*, row: Replicated, columns: Iterable[str], by: UUID | None) -> None:
    """Keep who changed these columns; nobody, as a loader is, leaves no history."""
    if by is None:
        return
    Edit.objects.create(
        table=row._meta.db_table,  # noqa: SLF001  (Django documents _meta)
        record=row.pk,
        columns=sorted(columns),
        person_id=by,
        owner_site=this_site().name,
        created_at=TransactionNow(),
    )

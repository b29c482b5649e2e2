"""What changes activities."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from crm.accounts.models import User
from crm.activities.models import Activity, State
from crm.core.sites import this_site
from crm.core.versions import Outcome
from crm.core.writing import write_edit, write_new
from crm.customers.models import Customer
from crm.history.services import record_edit


def create_activity(*, key: UUID, customer: Customer, author: User, values: Mapping[str, Any]) -> Activity:
    """Record something with a customer; the same key again gives what is there."""
    own = {"customer": customer, "author": author, "owner_site": this_site().name, "text_lang": author.name_lang}
    return write_new(Activity.objects.all(), key=key, values={**values, **own}, by=author.pk)


def update_activity(
    *, key: UUID, fields: tuple[str, ...], seen: str, typed: Mapping[str, Any], by: UUID | None
) -> Outcome:
    """Save what changed of an activity, or tell what clashes."""
    return write_edit(Activity.objects.all(), key=key, fields=fields, seen=seen, typed=typed, by=by)


@transaction.atomic
def finish_activity(*, key: UUID, by: UUID | None) -> None:
    """Mark a planned activity as done; one that is not planned stays as it is."""
    planned = Activity.objects.filter(pk=key, state=State.PLANNED)
    if planned.update(state=State.DONE, updated_at=timezone.now()):
        record_edit(row=Activity(pk=key), columns=("state",), by=by)

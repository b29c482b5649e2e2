"""What changes activities."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.utils import timezone

from crm.accounts.models import User
from crm.activities.models import Activity, State
from crm.core.sites import this_site
from crm.core.versions import Outcome
from crm.core.writing import write_edit
from crm.customers.models import Customer


def create_activity(*, key: UUID, customer: Customer, author: User, values: Mapping[str, Any]) -> Activity:
    """Record something with a customer; the same key again gives what is there."""
    own = {"customer": customer, "author": author, "owner_site": this_site().name, "text_lang": author.name_lang}
    return Activity.objects.get_or_create(pk=key, defaults={**values, **own})[0]


def update_activity(*, key: UUID, fields: tuple[str, ...], seen: str, typed: Mapping[str, Any]) -> Outcome:
    """Save what changed of an activity, or tell what clashes."""
    return write_edit(Activity.objects.all(), key=key, fields=fields, seen=seen, typed=typed)


def finish_activity(*, key: UUID) -> None:
    """Mark a planned activity as done; one that is not planned stays as it is."""
    planned = Activity.objects.filter(pk=key, state=State.PLANNED)
    planned.update(state=State.DONE, updated_at=timezone.now())

"""Who changed what, as the pages ask for it."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from crm.core.paging import Order, Page, page_of
from crm.history.models import Edit

NEWEST_FIRST = Order("created_at", descending=True, read=datetime.fromisoformat)


def get_edits_of(records: Collection[UUID]) -> Mapping[UUID, Sequence[Edit]]:
    """All edits of some records with who made them, by record."""
    found: dict[UUID, list[Edit]] = defaultdict(list)
    if records:
        for edit in Edit.objects.filter(record__in=records).select_related("person"):
            found[edit.record].append(edit)
    return found


def get_edits_by(person: UUID, *, most: int = 200) -> Sequence[Edit]:
    """What a person saved last."""
    return list(Edit.objects.filter(person=person).order_by("-created_at")[:most])


def get_history_page(record: UUID, *, mark: str) -> Page[Edit]:
    """A page of a record's history, the newest edit first."""
    return page_of(Edit.objects.filter(record=record).select_related("person"), order=NEWEST_FIRST, mark=mark)

"""Whose a version of a record is. Pure.

A stamp says the site and the time of a version, an edit says who saved what at a site and when. The author is
who saved that column, or made the record, at that site last before the stamp's time, and not long before: an older
edit is none of it, because something else than a person wrote then (a loader, a correction in the database).
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from crm.history.models import Edit

AHEAD = timedelta(minutes=15)
"""How far a stamp may lie behind its transaction: what clocks may differ by, and some."""


def author_of(edits: Iterable[Edit], *, columns: Collection[str], site: str, at: datetime) -> Edit | None:
    """The edit that made a version; `columns` are those that share its stamp, none where any may have been written.
    `edits` are of one record."""
    able = [
        edit
        for edit in edits
        if edit.owner_site == site and at - AHEAD <= edit.created_at <= at and _wrote(edit, columns)
    ]
    return max(able, key=lambda edit: edit.created_at, default=None)


def _wrote(edit: Edit, columns: Collection[str]) -> bool:
    """Who made the record wrote all of its columns."""
    return not (edit.columns and columns) or not set(columns).isdisjoint(edit.columns)

"""Rows whose search text has every word that was typed."""

from typing import TypeVar

from django.db.models import Model, QuerySet

from crm.core.folding import grams, query_words
from crm.core.postgres import containing

M = TypeVar("M", bound=Model)


def matching(rows: QuerySet[M], typed: str) -> QuerySet[M]:
    """Narrow the rows to those that match; what folds to nothing matches nothing."""
    words = query_words(typed)
    if not words:
        return rows.none()
    for word in words:
        rows = containing(rows, grams=grams(word), text=word)
    return rows

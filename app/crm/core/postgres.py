"""What Django lacks of PostgreSQL: the index that the search of names stands on.

`crm_grams(text)` gives the grams of a folded text (see `crm.core.folding`), and a GIN index on that
expression finds any part of a Chinese name from two characters on, where a trigram index cannot.
An expression index needs no column of its own, so nothing derived travels between the sites and
rows that arrive from a peer are indexed like those typed here.
"""

from typing import TypeVar, cast

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db.models import Func, Model, QuerySet, TextField

M = TypeVar("M", bound=Model)


class Grams(Func):
    """The grams of a folded text, as the database computes them."""

    function = "crm_grams"
    output_field = ArrayField(TextField())


def gram_index(name: str) -> GinIndex:
    """The index of a model's `search_text`."""
    return GinIndex(Grams("search_text"), name=name, fastupdate=True)


def containing(rows: QuerySet[M], *, grams: list[str], text: str) -> QuerySet[M]:
    """Rows whose search text has all the grams, and does contain the text."""
    narrowed = rows.alias(grams=Grams("search_text")).filter(grams__contains=grams)
    return cast("QuerySet[M]", narrowed.filter(search_text__contains=text))

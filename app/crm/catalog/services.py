"""What changes products."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from crm.catalog.models import Product
from crm.core.folding import search_text
from crm.core.sites import this_site
from crm.core.versions import Outcome
from crm.core.writing import write_edit, write_new


def product_search_text(values: Mapping[str, Any]) -> str:
    """What a product is found by; for loaders too."""
    return search_text(texts=[values[name] for name in ("name", "code", "brand", "category", "department")])


def create_product(*, key: UUID, values: Mapping[str, Any], by: UUID | None) -> Product:
    """Add a product; the same key again gives the product that is there."""
    own = {"owner_site": this_site().name, "search_text": product_search_text(values)}
    return write_new(Product.objects.all(), key=key, values={**values, **own}, by=by)


def update_product(
    *, key: UUID, fields: tuple[str, ...], seen: str, typed: Mapping[str, Any], by: UUID | None
) -> Outcome:
    """Save what changed of a product, or tell what clashes."""
    return write_edit(
        Product.objects.all(),
        key=key,
        fields=fields,
        seen=seen,
        typed=typed,
        by=by,
        derive=lambda after: {"search_text": product_search_text(after)},
    )

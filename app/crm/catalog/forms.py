"""What people type about products."""

from crm.catalog.models import Product
from crm.core.forms import RowForm


class ProductForm(RowForm[Product]):
    """A product with its list price."""

    class Meta:
        model = Product
        fields = (
            "code", "name", "name_lang", "department", "category", "brand", "manufacturer", "package_size",
            "list_price", "currency", "is_active",
        )  # fmt: skip

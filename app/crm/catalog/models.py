"""Products: what an order line names."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.core.choices import Currency, TextLanguage
from crm.core.models import Replicated, Sourced
from crm.core.postgres import gram_index


class Product(Replicated, Sourced):
    """Something that is sold. Headquarters sets the list price."""

    code = models.CharField(_("code"), max_length=40)
    name = models.CharField(_("name"), max_length=200)
    name_lang = models.CharField(_("language of the name"), max_length=7, choices=TextLanguage, default=TextLanguage.EN)
    department = models.CharField(_("department"), max_length=80, blank=True, default="")
    category = models.CharField(_("category"), max_length=120, blank=True, default="")
    brand = models.CharField(_("brand"), max_length=80, blank=True, default="")
    manufacturer = models.CharField(_("manufacturer"), max_length=80, blank=True, default="")
    package_size = models.CharField(_("package"), max_length=40, blank=True, default="")
    list_price = models.DecimalField(_("list price"), max_digits=14, decimal_places=2, null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, choices=Currency, blank=True, default="")
    is_active = models.BooleanField(_("on sale"), default=True)
    search_text = models.TextField(blank=True, default="", editable=False)

    class Meta:
        indexes = (
            models.Index(fields=["name", "id"], name="product_name"),
            models.Index(fields=["department", "name", "id"], name="product_department"),
            models.Index(fields=["code"], name="product_code"),
            models.Index(fields=["source", "source_ref"], name="product_source"),
            gram_index("product_grams"),
        )

    def __str__(self) -> str:
        return self.name

"""The app of this domain."""

from django.apps import AppConfig


class ReviewsConfig(AppConfig):
    """Conflicts between the sites, and people's answers to them."""

    name = "crm.reviews"

"""People who log in.

Users are replicated, so that a person can log in at every node. A role is a code and what it may do
stands in `roles.py`: Django's permission and content type tables hold ids that each database makes
by itself, and no replicated row may refer to them.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.accounts.roles import Role
from crm.core.choices import Language, TextLanguage
from crm.core.models import Replicated


class UserManager(BaseUserManager["User"]):
    """Finds users by their log-in name."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(username=username)


class User(Replicated, AbstractBaseUser):
    """A person who works with the CRM; `owner_site` is the site that the person works at."""

    last_login = None  # else each log-in would travel to every site

    username = models.CharField(_("log-in name"), max_length=63, unique=True)
    display_name = models.CharField(_("name"), max_length=120)
    name_lang = models.CharField(max_length=7, choices=TextLanguage, default=TextLanguage.ZH_HANT)
    latin_name = models.CharField(max_length=120, blank=True, default="")
    email = models.EmailField(_("e-mail"), blank=True, default="")
    role = models.CharField(max_length=15, choices=Role, default=Role.STAFF)
    language = models.CharField(_("language"), max_length=7, choices=Language)
    time_zone = models.CharField(_("time zone"), max_length=63)
    is_active = models.BooleanField(default=True)

    objects = UserManager()

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["display_name"]

    def __str__(self) -> str:
        return self.display_name

    def get_short_name(self) -> str:
        return self.display_name

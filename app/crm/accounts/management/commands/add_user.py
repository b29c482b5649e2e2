"""`add_user`: a person who can log in at every node, with a password out of a file.

Run it at one site; the row travels to the others.
"""

import uuid
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from crm.accounts.models import User
from crm.accounts.roles import Role
from crm.accounts.services import create_user
from crm.core.choices import Language, TextLanguage
from crm.core.sites import config, this_site
from sitecfg.secrets import read_secret


class Command(BaseCommand):
    """Adds one person."""

    help = "Add a person who can log in at every node."

    def add_arguments(self, parser: ArgumentParser) -> None:
        site = this_site()
        parser.add_argument("username")
        parser.add_argument("--name", required=True, help="the person's name in its own script")
        parser.add_argument("--name-lang", choices=TextLanguage.values, default=TextLanguage.ZH_HANT)
        parser.add_argument("--role", choices=Role.values, default=Role.STAFF)
        parser.add_argument("--site", choices=list(config().sites), default=site.name, help="where the person works")
        parser.add_argument("--language", choices=Language.values, default=site.languages[0])
        parser.add_argument("--time-zone", default=site.time_zone)
        parser.add_argument("--password-file", type=Path, required=True, help="one line, mode 0600")

    def handle(self, **options: Any) -> None:
        username = options["username"]
        if User.objects.filter(username=username).exists():
            raise CommandError(f"{username} is there already")
        create_user(
            key=uuid.uuid4(),
            username=username,
            password=read_secret(options["password_file"]),
            display_name=options["name"],
            name_lang=options["name_lang"],
            role=options["role"],
            owner_site=options["site"],
            language=options["language"],
            time_zone=options["time_zone"],
        )
        self.stdout.write(f"{username} can log in at every node")

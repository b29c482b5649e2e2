#!/usr/bin/env python
"""Django's commands for one site's node, named by KUROSHIO_SITE."""

import os
import sys

from django.core.management import execute_from_command_line

from crm.environment import demand_site

# What needs no database may run without a site; everything else must be told.
ANYWHERE = {"check", "compilemessages", "help", "makemessages", "makemigrations", "version"}

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")
    if not ANYWHERE.intersection(sys.argv[1:2]):
        demand_site()
    execute_from_command_line(sys.argv)

"""``capture``, ``apply``, ``control`` and ``exporter``: the daemons of a site, each in a process of its own."""

import argparse
from importlib import import_module

from replication import events
from sitecfg import Config


def run(config: Config, options: argparse.Namespace) -> int:
    """Run the daemon that the command names, until the process is ended."""
    site = config.site(options.site)
    events.configure(daemon=options.command, site=site.name)
    import_module(f"replication.{options.command}.daemon").run(config, site)
    return 0

"""``snapshot``: write a site's rows, and what belongs to them, into a file from which another site is seeded."""

import argparse

from replication.operators import who
from replication.postgres.connect import connect
from replication.requests import note
from replication.snapshot.bar import Bar
from replication.snapshot.taking import estimate, take
from sitecfg import Config


def run(config: Config, options: argparse.Namespace) -> int:
    """Take a snapshot while the site works."""
    site = config.site(options.site)
    with connect(site.dsn(), name="snapshot") as connection:
        bar = Bar(f"reading {site.name}", estimate(connection))
        rows = take(config, site, options.to, bar.at)
        bar.done()
        note(connection, "snapshot", options.to.name, by=who(), outcome="done")
    print(f"{options.to}: {rows:,} rows of {site.name}, {options.to.stat().st_size:,} bytes, signed")
    return 0

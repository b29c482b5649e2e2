"""``seed``: put a snapshot into a site, which is closed until that is done; ``--abandon``: open it again without."""

import argparse

from replication.errors import UsageError
from replication.operators import who
from replication.postgres import closing
from replication.postgres.connect import connect
from replication.requests import note
from replication.snapshot.bar import Bar
from replication.snapshot.seeding import Seeding, open_site
from sitecfg import Config, Site


def run(config: Config, options: argparse.Namespace) -> int:
    """Seed a site from a file. A second run goes on where a first one was killed."""
    site = config.site(options.site)
    if options.abandon:
        return _abandon(site)
    if options.source is None:
        raise UsageError("say from which file: --from FILE")
    with options.source.open("rb") as file:
        seeding = Seeding(config, site, file)
        bar = Bar(f"loading {site.name}", seeding.contents.bytes)
        seeding.run(bar.at)
        bar.done()
    open_site(config, site)
    with connect(site.dsn(), name="seed") as connection:
        note(connection, "seed", options.source.name, by=who(), outcome="done")
    print(f"{site.name}: seeded from {seeding.contents.header.donor}, as it was at {seeding.contents.header.taken_at}")
    print(f"  next: python -m replication wait --timeout 600, then verify: {site.name} catches up by itself")
    return 0


def _abandon(site: Site) -> int:
    with connect(site.dsn(), name="seed") as connection:
        state = closing.closed(connection)
        if state is not None and state.token:
            raise UsageError(
                f"{site.name} holds a part of a snapshot, and nothing else: it can only be seeded."
                " Run python -m replication seed with the same file, or with a newer one"
            )
        closing.reopen(connection)
        closing.clear(connection)
    print(f"{site.name}: open, as it was")
    return 0

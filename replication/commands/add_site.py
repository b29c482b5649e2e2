"""``add-site``: bring a site that every site's configuration names into the replication that is running."""

import argparse
from collections.abc import Mapping

from replication.enlisting import Enlisting
from replication.errors import UsageError
from replication.initialising import initialise_site
from replication.keys import require_home
from replication.operators import who
from replication.postgres import capturing
from replication.postgres.connect import Connection, site_of
from replication.requests import note
from replication.sites import chosen, reach
from replication.snapshot.joining import Joining, choose_donor, require_declared
from replication.snapshot.rejoining import known_otherwise
from replication.snapshot.seeding import open_site
from sitecfg import Config

_CARRIED = ", or, where no host has both sites' keys, seed the new site with a carried file (deploy/RUNBOOK.md)"


def run(config: Config, options: argparse.Namespace) -> int:
    """Put the site's database under replication and seed it; the others work on."""
    new, donor = config.site(options.name), choose_donor(config, options.name, options.donor)
    for site in (new, donor):
        require_home(site, "add-site", _CARRIED)
    with reach(chosen(config, None), purpose="add-site") as reached:
        reached.require_all("add-site")
        sites = reached.connections
        require_declared(sites, new.name)
        _require_new(sites, new.name)
        print(f"{new.name}: under replication, incarnation {initialise_site(new)}")
        for line in Enlisting(config, sites, [new.name]).add(_tables(sites[donor.name])):
            print(line)
        had = Joining(config, sites, new, donor, options.timeout).run()
        open_site(config, new)
        for connection in sites.values():
            note(connection, "add-site", new.name, by=who(), outcome="done")
    print(f"{new.name}: has {had.rows:,} rows of {donor.name}, and reads the others' logs from there")
    print("  next: python -m replication wait --timeout 600, then verify")
    return 0


def _require_new(sites: Mapping[str, Connection], name: str) -> None:
    """What one peer has read of a former log and another has not would stay at the one: to level that is rejoin's."""
    here = sites[name]
    tokens = [token for token, _ in capturing.identity(here).lineage] if site_of(here) else []
    if known_otherwise({peer: sites[peer] for peer in sites if peer != name}, name, tokens):
        raise UsageError(
            f"the others know {name} already, and another log of it: put its new database under replication (init,"
            f" add-table), and run python -m replication rejoin {name}"
        )


def _tables(connection: Connection) -> list[str]:
    rows = connection.execute("SELECT format('%I.%I', nspname, relname) FROM kuroshio.replicated_table").fetchall()
    return [str(row[0]) for row in rows]

"""``remove-site``: let a site leave: once while the configurations name it, and once when they do not any more."""

import argparse

from replication.errors import UsageError
from replication.operators import who
from replication.requests import Ended, note
from replication.sites import Reached, chosen, reach
from replication.snapshot import leaving
from replication.snapshot.rejoining import Log
from sitecfg import Config


def run(config: Config, options: argparse.Namespace) -> int:
    """The step that is due."""
    if options.name in config.sites:
        return _close(config, options)
    with reach(chosen(config, None), purpose="remove-site") as reached:
        reached.require_all("remove-site")
        leaving.require_unknown(reached.connections, options.name)
        leaving.forget(reached.connections, options.name)
        _note(reached, options.name, "forgotten")
    print(f"{options.name}: gone; no site waits for it. Its number is not to be used again")
    return 0


def _close(config: Config, options: argparse.Namespace) -> int:
    name = options.name
    with reach(chosen(config, None), purpose="remove-site") as reached:
        others = [site for site in reached.unreachable if site != name]
        if others or (name in reached.unreachable and not options.lost):
            reached.require_all("remove-site (with --lost: all others)")
        if options.lost:
            peers = {site: connection for site, connection in reached.connections.items() if site != name}
            sent = Log(config, peers, config.site(name)).level()
            _note(reached, name, "given up")
            print(f"{name}: what one site alone had of it is sent to all: {sent:,} rows")
        elif len(config.sites) < 2:
            raise UsageError(f"{name} is the only site")
        else:
            leaving.close_for_good(reached.connections, name, options.timeout)
            _note(reached, name, "closed")
            print(f"{name}: closed; every other site has all that was written there")
    print(f"  next: take {name}'s file out of sitecfg at every site, start the daemons again, and run this once more")
    return 0


def _note(reached: Reached, name: str, outcome: Ended) -> None:
    """On record at every site that is reached, the one that leaves among them."""
    for connection in reached.connections.values():
        note(connection, "remove-site", name, by=who(), outcome=outcome)

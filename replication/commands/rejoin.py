"""``rejoin``: bring a site back that was restored from a backup, was away for too long, or lost its slot."""

import argparse

from replication.initialising import initialise_site
from replication.keys import require_home
from replication.operators import who
from replication.postgres import closing
from replication.requests import note
from replication.sites import chosen, reach
from replication.snapshot.joining import Joining, choose_donor
from replication.snapshot.rejoining import LONGEST_TRANSACTION_US, Fault, Log, diagnose
from replication.snapshot.seeding import open_site
from sitecfg import Config


def run(config: Config, options: argparse.Namespace) -> int:
    """Say what is wrong with the site, and mend it. May be run again where it was killed."""
    site = config.site(options.name)
    require_home(site, "rejoin")
    with reach(chosen(config, None), purpose="rejoin") as reached:
        reached.require_all("rejoin")
        log = Log(config, reached.connections, site)
        faults = diagnose(log)
        if closing.closed(reached.connections[site.name]) and Fault.RESTORED not in faults:
            faults = [*faults, Fault.AWAY]
        if not faults:
            print(f"{site.name}: nothing is wrong that this could mend: see python -m replication status")
            return 0
        rejoining = _Rejoining(log, options)
        for fault in dict.fromkeys(faults):
            print(f"{site.name}: {fault.value}")
            rejoining.mend(fault)
        why = "; ".join(fault.value for fault in faults)
        for connection in reached.connections.values():
            note(connection, "rejoin", site.name, by=who(), outcome="done", why=why)
    print("  next: python -m replication wait --timeout 600, then verify")
    return 0


class _Rejoining:
    """What is done about each fault, and said of it."""

    def __init__(self, log: Log, options: argparse.Namespace) -> None:
        self._log = log
        self._config, self._sites, self._site = log.config, log.sites, log.site
        self._options = options

    def mend(self, fault: Fault) -> None:
        """Do what the fault asks for."""
        if fault is Fault.RESTORED:
            self._restore()
        elif fault is Fault.AWAY:
            self._seed(None)
            open_site(self._config, self._site)
        else:
            self._renew()

    def _seed(self, keeps_since_us: int | None) -> None:
        site, options = self._site, self._options
        donor = choose_donor(self._config, site.name, options.donor)
        joining = Joining(self._config, self._sites, site, donor, options.timeout, keeps_since_us, options.file)
        had = joining.run()
        print(f"{site.name}: has {had.rows:,} rows of {had.header.donor}, and reads the others' logs from there")

    def _renew(self) -> None:
        own, sent = self._log.begin(_surely(min(self._log.heard_us())))
        print(f"{own.name}: a new log, {own.incarnation}; {sent:,} rows are sent again")

    def _restore(self) -> None:
        site, here = self._site, self._sites[self._site.name]
        initialise_site(site)
        closing.close(here)
        if not self._log.await_end(self._options.timeout):
            sent = self._log.level()
            print(f"{site.name}: its old log is gone; what one peer alone had of it is sent to all: {sent:,} rows")
        heard_us = self._log.heard_us()
        self._seed(_surely(min(heard_us)))
        own, _ = self._log.begin()
        kept, forgotten = open_site(self._config, site, _surely(max(heard_us)))
        print(f"{site.name}: a new log, {own.incarnation}")
        print(f"{site.name}: what was written to it since it was restored is kept by the rules: {kept:,} rows")
        if forgotten:
            print(f"{site.name}: edits of {forgotten:,} rows that had been deleted everywhere are on record alone")


def _surely(heard_us: int) -> int:
    """Who has heard of a site up to a time has had all that is stamped before this: a stamp is the clock when its
    transaction began."""
    return max(heard_us - LONGEST_TRANSACTION_US, 0)

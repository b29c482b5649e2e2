"""Seeds a site from a peer while the others work: close, wait until the donor has had all of it, snapshot, load.

1. Everybody must count the site before the snapshot is taken: a tombstone that it has not passed stays, and the slots
   hold what it has not read. So every peer's daemons must have been started with a configuration that names it.
2. The donor must have all that the site wrote and knew (`seeding.lacking`), which takes as long as the lines do.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from replication.audience import view_for
from replication.core.progress import parse_lsn
from replication.errors import TransientError, UsageError
from replication.keys import is_at_home
from replication.postgres import capturing, closing
from replication.postgres.connect import Connection
from replication.snapshot.bar import Bar
from replication.snapshot.format import Contents, Header
from replication.snapshot.seeding import Seeding, await_apply, lacking
from replication.snapshot.taking import estimate, take
from sitecfg import Config, Site

_POLL_SECONDS = 0.2
Sites = Mapping[str, Connection]


def require_declared(sites: Sites, new: str) -> None:
    """Raise :class:`UsageError` where a site's daemons do not know the new one."""
    for name in sites.keys() - {new}:
        knows: Any = (
            sites[name]
            .execute(
                "SELECT EXISTS (SELECT FROM kuroshio.capture WHERE %(new)s = ANY (peers)),"
                " EXISTS (SELECT FROM kuroshio.reading WHERE origin = %(new)s)",
                {"new": new},
            )
            .fetchone()
        )
        for daemon, known in zip(("capture", "apply"), knows, strict=True):
            if not known:
                raise UsageError(
                    f"{daemon} of {name} does not know {new}: put {new}'s file and key into sitecfg there, and start"
                    f" the daemons of {name} again"
                )


def choose_donor(config: Config, new: str, wanted: str | None) -> Site:
    """The site to take the snapshot at: the one named, or the first that receives what the new one does."""
    view = view_for(config.rules, new).name
    fit = [name for name in config.sites if name != new and view_for(config.rules, name).name == view]
    if wanted is not None and wanted not in fit:
        raise UsageError(
            f"{wanted} does not receive the same rows and columns as {new}: {', '.join(fit) or 'none'} does"
        )
    if not fit:
        raise UsageError(f"no site receives the same rows and columns as {new}: it cannot be seeded from one")
    return config.site(wanted or fit[0])


@dataclass(frozen=True, slots=True)
class Joining:
    """The seeding of a closed site from another one. ``keeps_since_us``: see `Seeding`."""

    config: Config
    sites: Sites
    new: Site
    donor: Site
    patience_seconds: float
    keeps_since_us: int | None = None
    carried: Path | None = None
    """A snapshot that was taken on the donor's own host, after this said that it should be."""

    def run(self) -> Contents:
        """Seed the site, which stays closed; return what it was seeded with."""
        closing.close(self.sites[self.new.name])
        await_apply(self.new)
        if self.carried is not None:
            return self._load(self.carried)
        self._await_donor()
        self._require_donor_s_key()
        with TemporaryDirectory(prefix="kuroshio-seed-") as folder:
            path = Path(folder) / f"{self.donor.name}.snapshot"
            reading = Bar(f"reading {self.donor.name}", estimate(self.sites[self.donor.name]))
            take(self.config, self.donor, path, reading.at)
            reading.done()
            return self._load(path)

    def _load(self, path: Path) -> Contents:
        with path.open("rb") as file:
            seeding = Seeding(self.config, self.new, file, keeps_since_us=self.keeps_since_us)
            self._require_its_log(seeding.contents.header)
            loading = Bar(f"loading {self.new.name}", seeding.contents.bytes)
            seeding.run(loading.at)
            loading.done()
        return seeding.contents

    def _require_donor_s_key(self) -> None:
        if not is_at_home(self.donor):
            new, donor = self.new.name, self.donor.name
            raise UsageError(
                f"{new} is closed, and {donor} has had all of it. A snapshot is signed with {donor}'s key, which is not"
                f" on this host. On {donor}'s own: python -m replication snapshot --site {donor} --to FILE; carry the"
                f" file here, and run this again with --file FILE"
            )

    def _require_its_log(self, header: Header) -> None:
        """What the donor has read of a log that is given up nobody sends again: the snapshot must hold it."""
        if self.keeps_since_us is None or header.donor not in self.sites:
            return
        had = closing.known(self.sites[header.donor]).get(self.new.name, 0)
        if parse_lsn(header.positions.get(self.new.name, {}).get("lsn", "0/0")) < had:
            raise UsageError(
                f"the snapshot was taken before {header.donor} had read {self.new.name}'s old log to its end: take it"
                " again, and run this with it"
            )

    def _await_donor(self) -> None:
        """Wait until the donor has had all that was written at the closed site, and that it knew."""
        new, donor = self.new.name, self.donor.name
        deadline = time.monotonic() + self.patience_seconds
        while missing := self._missing():
            if time.monotonic() > deadline:
                raise TransientError(
                    f"{donor} has not had {'; '.join(missing)}, and {new} stays closed until it has: heal the lines and"
                    f" run this again, or give it up: python -m replication seed --site {new} --abandon"
                )
            time.sleep(_POLL_SECONDS)

    def _missing(self) -> list[str]:
        here = self.sites[self.new.name]
        state, known = closing.closed(here), closing.known(here)
        assert state is not None
        if self.keeps_since_us is not None:
            state = replace(state, lsn=0)
        there = self.sites[self.donor.name]
        covered = {**closing.known(there), self.donor.name: capturing.flushed(there)}
        return lacking(covered, self.new.name, state, known, closing.claims(there).get(self.new.name, {}))

"""Carries out a change of the rules of who receives what at this site.

1. *What others may have now, they are sent* (replication/core/widening.py), in slices. A slice and the place up to
   which all is sent are one transaction: killed in between, it goes on there, and forgets nothing.
2. It begins when nothing that was written under the earlier rules is still on its way here: capture runs under those
   in force, every other site's newest change here bears their version, and no older one of the table waits.
3. A slice follows when all who are owed have applied the one before, and it is through when they have applied the last.
   So live traffic passes between, nothing piles up in the log, and a peer that is cut off stops it, for as long as it
   is. What was sent and not applied when the rules change again is sent again: it lies in a stream of the former view.
4. *What this site may not have is taken away*, of a table once it owes nothing of it: it gives up nothing that it has
   to send. What is taken away before that, because somebody wrote it, is handed over (``Residence.hand_over``).
"""

import time
from collections.abc import Collection, Mapping, Sequence

from replication import events
from replication.apply.merging import Merger
from replication.apply.tables import Name, Tables
from replication.audience import Audiences
from replication.core.changes import Key
from replication.core.widening import Widening
from replication.postgres import audiences, capturing, residency, states
from replication.postgres.audiences import PASSES, Kept
from replication.postgres.catalog import Table
from replication.postgres.connect import Connection
from sitecfg import Config

SLICE_ROWS = 1000
_LOOK_SECONDS = 0.2
"""Rows that nobody is owed are passed over, for so long at a time."""
_LEAVING_AT_ONCE = 1000


class Sharing:
    """For the writer's connection; made anew with it."""

    def __init__(self, connection: Connection, config: Config, own: str, tables: Tables, merger: Merger) -> None:
        self._connection = connection
        self._config = config
        self._own = own
        self._audiences = Audiences(config, own)
        self._tables = tables
        self._merger = merger
        self._obeyed = set[Name]()
        self._sent_to = set[str]()
        self._knows_whom = False
        """Is that all, or was something sent before this process began?"""
        self._sent_lsn: int | None = None

    def step(self) -> None:
        """Send a slice, if it is time; take away what may not stay."""
        found = {name: self._adopt(name, kept) for name, kept in audiences.kept(self._connection).items()}
        owing = {name: kept for name, kept in found.items() if len(kept.audiences) > 1}
        widenings = {name: self._audiences.widening(name, kept.audiences[:-1]) for name, kept in owing.items()}
        if self._tables.widenings != widenings:
            self._tables.know_widenings(widenings)
        for name in sorted(found.keys() - owing.keys() - self._obeyed):
            self._obey(name)
            self._obeyed.add(name)
        if owing:
            self._send(owing, widenings)
        self._leave()

    def _adopt(self, name: Name, kept: Kept) -> Kept:
        """Take the rules in force for a table's."""
        known = self._audiences.adopted(name, kept.audiences)
        if known == kept.audiences:
            return kept
        changed = Kept(known)
        audiences.keep(self._connection, name, changed)
        return changed

    # -- what others may have ------------------------------------------------------------------------------------------

    def _send(self, owing: Mapping[Name, Kept], widenings: Mapping[Name, Widening]) -> None:
        version = self._config.rules.version
        peers = [site for site in self._config.sites if site != self._own]
        until = time.monotonic() + _LOOK_SECONDS
        for name in sorted(owing, key=lambda name: (self._tables.rank(name), name)):
            table, place = self._tables.get(name), owing[name]
            if table is None or not audiences.is_all_here(self._connection, name, version, peers):
                continue
            while place.passed < len(PASSES):
                if time.monotonic() > until or not self._is_applied():
                    return
                place = self._slice(table, widenings[name], place)
            if not self._is_through(widenings.values()):
                return
            audiences.keep(self._connection, name, Kept(place.audiences[-1:]))
            events.logger().info(events.WIDENING_SENT, table=str(table), sites=widenings[name].owing)

    def _is_through(self, widenings: Collection[Widening]) -> bool:
        """Have all who are owed applied what they were sent, also before this process began?"""
        if not self._knows_whom:
            self._sent_to = {site for owed in widenings for site in owed.owing}
            self._sent_lsn, self._knows_whom = None, True
        return self._is_applied()

    def _is_applied(self) -> bool:
        """Have all that were sent something applied it?"""
        if not self._sent_to:
            return True
        if audiences.waits_for_capture(self._connection):
            return False
        if self._sent_lsn is None:
            self._sent_lsn = capturing.sample(self._connection)[1]
        applied = capturing.applied_by_peers(self._connection, capturing.identity(self._connection))
        if any(applied.get(site, 0) < self._sent_lsn for site in self._sent_to):
            return False
        self._sent_to, self._sent_lsn = set(), None
        return True

    def _slice(self, table: Table, owed: Widening, place: Kept) -> Kept:
        """Send the next rows; return the place behind them."""
        with self._connection.transaction():
            keys = audiences.next_keys(self._connection, table, place, SLICE_ROWS)
            sent_to = self._note(table, owed, keys)
            after = Kept(place.audiences, place.passed + 1)
            if len(keys) == SLICE_ROWS:
                after = Kept(place.audiences, place.passed, [part.decode() for part in keys[-1]])
            audiences.keep(self._connection, table.qualified, after)
        self._sent_to |= sent_to
        return after

    def _note(self, table: Table, owed: Widening, keys: Sequence[Key]) -> set[str]:
        """Note the rows with these keys for who is owed them; return who that is."""
        rules, sent_to = self._tables.rules(table), set[str]()
        rows = states.read(self._connection, table, keys, rules, lock=False)
        with self._connection.pipeline():
            for key, local in rows.items():
                sent_to.update(residency.note_owed(self._connection, table, key, local.row, rules, owed))
        return sent_to

    # -- what this site may not have -----------------------------------------------------------------------------------

    def _leave(self) -> None:
        """Take away what was written here and is not shared with this site."""
        with self._connection.transaction():
            for name, keys in residency.leaving(self._connection).items():
                table = self._tables.get(name)
                if table is not None:
                    self._merger.leave(table, keys)

    def _obey(self, name: Name) -> None:
        """Take away what was here before the rules in force were: they let this site have no more than they say."""
        table = self._tables.get(name)
        residence = None if table is None else self._tables.residence(table)
        if table is None or residence is None:
            return
        for keys in residency.beyond(self._connection, table, residence.here).values():
            for start in range(0, len(keys), _LEAVING_AT_ONCE):
                with self._connection.transaction():
                    self._merger.leave(table, keys[start : start + _LEAVING_AT_ONCE])

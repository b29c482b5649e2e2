"""Makes a plan from what differs, and has it applied: the operator's view, with a session at every site.

1. A plan is stale when a site holds something else of one of its rows than it says. Then nothing at all is done:
   whoever read it has not seen what would happen. (Nothing could be lost: what is sent is merged like everything.)
2. A row that is alike everywhere by now is passed over. So a plan may be applied again.
3. What was sent, and for whom, is on record at each site that sent it.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from replication.clock import pause
from replication.core.changes import Key
from replication.definitions import row_rules
from replication.errors import UsageError
from replication.postgres import audiences, states
from replication.postgres.catalog import Table, split_name
from replication.postgres.connect import Connection
from replication.postgres.residency import shown_rows
from replication.postgres.states import Local
from replication.repair.plan import Plan, PlannedRow, digest, held_by, plan_row, senders
from replication.repair.sending import send_again
from replication.sites import at_each
from replication.verify.between import dropped, enlisted
from replication.verify.digests import Digests
from replication.verify.hidden import hidden_apart
from replication.verify.parts import Parts
from replication.verify.report import OF_ROWS, Difference, Report
from replication.verify.scopes import Scope, entitled
from replication.wait import wait
from sitecfg import Config

ROUNDS = 3
_CAPTURE_SECONDS = 30.0

Sites = Mapping[str, Connection]


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of a plan: its rows by what was done."""

    sent: Sequence[PlannedRow] = ()
    alike: Sequence[PlannedRow] = ()
    """Before anything was sent."""
    stale: Sequence[PlannedRow] = ()
    """Then nothing was sent."""
    differing: Sequence[PlannedRow] = ()
    """Still."""
    behind: Sequence[str] = ()


class Repair:
    """Plans and applies, for the sites of a configuration."""

    def __init__(self, config: Config, sites: Sites) -> None:
        self._config = config
        self._sites = sites
        self._names = {site.number: name for name, site in config.sites.items()}

    def plan(self, report: Report, made: str, by: str) -> tuple[Plan, list[str]]:
        """A plan for what a comparison found, and in words what no repair can mend."""
        rows, left = list[PlannedRow](), list[str]()
        for difference in report.differences:
            if difference.kind in OF_ROWS and difference.key:
                rows.append(self._planned(difference))
            else:
                left.append(str(difference))
        return Plan(made, by, self._config.rules.version, rows), left + [str(change) for change in report.parked]

    def _planned(self, difference: Difference) -> PlannedRow:
        table = self._table(difference.table)
        key = tuple(difference.key[name].encode() for name in table.key)
        [held] = self._held(table, [key])
        rules = row_rules(table, self._config.rules)
        return plan_row(difference.table, difference.key, held, rules, self._names, difference.columns)

    def apply(self, plan: Plan, mark: str, by: str, seconds: float) -> Applied:
        """Send the plan's rows again, and wait until they are alike. ``mark`` names the plan on record."""
        if plan.rules != self._config.rules.version:
            raise UsageError("the rules have changed since the plan was made, and with them what it says: make it anew")
        differing = self._differing(plan.rows)
        alike = [row for row in plan.rows if row not in differing]
        if stale := [row for row in differing if self._is_stale(row)]:
            return Applied(alike=alike, stale=stale)
        left, behind = list(differing), list[str]()
        for _ in range(ROUNDS):
            if not left or behind:
                break
            self._send(left, plan, mark, by)
            behind = self._wait(seconds)
            left = self._differing(left)
        return Applied(differing, alike, (), left, behind)

    def _is_stale(self, row: PlannedRow) -> bool:
        table = self._table(row.table)
        [held] = self._held(table, [_key(row, table)])
        return {site: digest(local) for site, local in held.items()} != row.states

    # -- what the sites hold -------------------------------------------------------------------------------------------

    def _table(self, name: str) -> Table:
        return enlisted(next(iter(self._sites.values())), split_name(name))

    def _held(self, table: Table, keys: Sequence[Key]) -> list[dict[str, Local]]:
        """What each site holds of each of these rows."""
        rules = row_rules(table, self._config.rules)

        def read(connection: Connection) -> dict[Key, Local]:
            return states.read(connection, enlisted(connection, table.qualified), keys, rules, lock=False)

        found = at_each(self._sites, read)
        return [held_by(list(self._sites), found, key) for key in keys]

    def _differing(self, rows: Sequence[PlannedRow]) -> list[PlannedRow]:
        """Those of these rows that are not what each site is entitled to."""
        return [row for name in dict.fromkeys(row.table for row in rows) for row in self._differing_of(name, rows)]

    def _differing_of(self, name: str, rows: Sequence[PlannedRow]) -> list[PlannedRow]:
        table = self._table(name)
        here = [row for row in rows if row.table == name]
        keys = [tuple(row.key[column] for column in table.key) for row in here]
        differing: set[int] = set()
        gone = tuple(sorted(set().union(*at_each(self._sites, lambda one: dropped(one, table)).values())))
        audience = entitled(table, self._config.rules, list(self._sites))
        scopes = [Scope(tuple(self._sites))] if audience is None else list(audience.scopes(shown_rows(table)))
        for scope in scopes:
            digests = Digests(table, scope.stamped, gone, scope.columns, scope.rows)
            sites = {site: self._sites[site] for site in scope.sites}
            found = at_each(sites, lambda one: Parts(one, digests).states(keys))  # noqa: B023
            differing.update(place for place in range(len(keys)) if len({one[place] for one in found.values()}) > 1)
        apart = hidden_apart(self._sites, table, audience)
        return [row for place, row in enumerate(here) if place in differing or keys[place] in apart]

    # -- sending -------------------------------------------------------------------------------------------------------

    def _send(self, rows: Sequence[PlannedRow], plan: Plan, mark: str, by: str) -> None:
        for row in rows:
            table = self._table(row.table)
            key = _key(row, table)
            [held] = self._held(table, [key])
            for site in senders(held, row_rules(table, self._config.rules)):
                with self._sites[site].transaction():
                    send_again(self._sites[site], self._config, table, [key])
                    _record(self._sites[site], row, plan, mark, by)

    def _wait(self, seconds: float) -> list[str]:
        """Until all that was noted is captured, and applied everywhere."""
        deadline = time.monotonic() + _CAPTURE_SECONDS
        while noted := [site for site, one in self._sites.items() if audiences.waits_for_capture(one)]:
            if time.monotonic() > deadline:
                return [f"{site}: capture does not send what is to be sent: does it run?" for site in noted]
            pause(0.2)
        return [str(link) for link in wait(self._sites, seconds)]


def _key(row: PlannedRow, table: Table) -> Key:
    if set(row.key) != set(table.key):
        raise UsageError(f"{row}: the key of {table} is ({', '.join(table.key)})")
    return tuple(row.key[name].encode() for name in table.key)


def _record(connection: Connection, row: PlannedRow, plan: Plan, mark: str, by: str) -> None:
    connection.execute(
        "INSERT INTO kuroshio.repair (plan, nspname, relname, key, planned_by, applied_by, finding)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (mark, *split_name(row.table), list(row.key.values()), plan.by, by, row.finding),
    )

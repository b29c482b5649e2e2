"""Puts tables under replication at all sites that are reached, together.

For each table, within one transaction at each site, all holding the table's lock until the last has done its part:

1. It must be the same table everywhere, and the rules must fit it. Later on, sites may differ for a while (P14).
2. Rows that are there already are allowed at one site, which sends them, or equal at all sites, being one base.
3. Generated keys of all sites start above the highest that any of them has given (pitfall P20).
4. A rule that is not the one that a site has had begins a new generation, or nothing is done (pitfall P13).
5. The site that sends its rows commits last, so that the others know the table when the rows arrive.

What is enlisted already stays; its rules and sequences are set right.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from graphlib import CycleError, TopologicalSorter
from typing import Any

from psycopg import sql

from replication.audience import Audiences, view_for
from replication.definitions import require_generations, require_same, rules_for
from replication.errors import UsageError
from replication.postgres import audiences
from replication.postgres.audiences import Kept
from replication.postgres.catalog import Table, describe, split_name
from replication.postgres.connect import Connection
from replication.postgres.enlist import enlist, has_rows, highest_generated, is_enlisted, recorded_rules
from replication.postgres.indexes import constraints
from replication.postgres.residency import blank_records
from replication.verify.digests import Digests
from replication.verify.suspects import differing, read_buckets, read_suspects, row_counts
from sitecfg import Config, Rules, TableRules
from sitecfg.circles import Reference, circle_faults

Name = tuple[str, str]

_REFERENCES = """
SELECT cn.nspname::text, c.relname::text, pn.nspname::text, p.relname::text, f.conname::text
  FROM pg_constraint f
  JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
  JOIN pg_class p ON p.oid = f.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
 WHERE f.contype = 'f'"""


class Enlisting:
    """``connections``: the sites that were reached; one that is not under replication yet has no say. ``acting``: those
    of them where tables are to be enlisted."""

    def __init__(self, config: Config, connections: Mapping[str, Connection], acting: Sequence[str]) -> None:
        self._config = config
        self._connections = {
            name: connection
            for name, connection in connections.items()
            if name in acting or _is_initialised(connection)
        }
        self._acting = acting

    def add(self, names: Sequence[str]) -> Iterator[str]:
        """Enlist the tables, parents first; yields a line on each. Definitions are compared before a table changes."""
        wanted = list(dict.fromkeys(split_name(name) for name in names))
        for name in self._acting:
            _require_initialised(self._connections[name], name)
        everywhere = {name: self._described(name) for name in wanted}
        for table in wanted:
            self._require_through(table)
        for site in self._acting:
            _require_decided(self._connections[site], self._config.rules, wanted)
        for table_name in _parents_first(self._connections[self._acting[0]], wanted):
            yield self._add_one(everywhere[table_name])

    def _require_through(self, name: Name) -> None:
        """Raise :class:`UsageError` where a site has yet to send what the last change of the rules lets others have and
        this one lets any have more: who is to send what would not be known. To take away is always possible."""
        for site, connection in self._connections.items():
            kept = audiences.kept(connection).get(name) if _is_initialised(connection) else None
            known, rules = kept.audiences if kept else [], Audiences(self._config, site)
            if len(known) > 1 and known[-1] != rules.now(name) and (owed := rules.owed(name, known)):
                raise UsageError(
                    f"{'.'.join(name)}: {site} has not sent all that the last change of the rules lets others have, and"
                    f" this one lets {', '.join(owed)} have more: put the former rules back until it has (python -m"
                    " replication wait), or only take away"
                )

    def _adopt(self, site: str, table: Table) -> None:
        """Keep who sees what from here on (replication/apply/sharing.py): capture may send by it before apply looks.
        The rows beyond that are apply's to take away; what is on record of them goes here."""
        connection = self._connections[site]
        kept = audiences.kept(connection)[table.qualified]
        known = Audiences(self._config, site).adopted(table.qualified, kept.audiences)
        if known != kept.audiences:
            audiences.keep(connection, table.qualified, Kept(known))
            blank_records(connection, table, view_for(self._config.rules, site).of(table.qualified))

    def _described(self, name: Name) -> dict[str, Table]:
        """Site -> the table there; at the acting sites it must exist."""
        if self._config.rules.is_local(".".join(name)):
            raise UsageError(
                f"{'.'.join(name)} is declared local to its site in the rules: take it out of [local] first"
            )
        tables = {}
        for site, connection in self._connections.items():
            if site in self._acting or _exists(connection, name):
                tables[site] = _described_at(site, connection, name, self._config.rules.table(".".join(name)))
        recorded = {site: recorded_rules(self._connections[site], tables[site]) for site in self._acting}
        if None in recorded.values():
            require_same(tables)
        for site, before in recorded.items():
            self._rules(tables, site)
            if before is not None:
                require_generations(tables[site], self._config.rules.table(".".join(name)), before, site)
        return tables

    def _rules(self, tables: Mapping[str, Table], site: str) -> dict[str, Any]:
        """The rules of a table as its triggers at a site want them; they may name columns that other sites have."""
        found = constraints(self._connections[site], tables[site])
        elsewhere = {column for table in tables.values() for column in table.types}
        return rules_for(tables[site], found, self._config.rules.table(str(tables[site])), elsewhere)

    def _add_one(self, tables: Mapping[str, Table]) -> str:
        table = tables[self._acting[0]]
        sites = {site: self._connections[site] for site in tables}
        rules = {site: self._rules(tables, site) for site in self._acting}
        new = [site for site in self._acting if not is_enlisted(sites[site], table)]
        with ExitStack() as stack:
            full = [site for site, connection in sites.items() if has_rows(connection, table)]
            for site in sorted(self._acting, key=lambda name: name not in full):
                stack.enter_context(sites[site].transaction())
                _lock(sites[site], table)
            sender = self._sender(table, sites, new)
            floor = max(highest_generated(connection, table) for connection in sites.values())
            for site in sorted(self._acting, key=lambda name: name == sender):
                number = self._config.sites[site].number
                enlist(sites[site], tables[site], number, rules[site], floor, send=site == sender)
                self._adopt(site, tables[site])
        if not new:
            return f"{table}: under replication already; rules and sequences are as they should be"
        return f"{table}: under replication at {', '.join(new)}" + (
            f"; the rows of {sender} are sent" if sender else ""
        )

    def _sender(self, table: Table, sites: Mapping[str, Connection], new: Sequence[str]) -> str | None:
        """The site whose rows are to be sent; None where there are none, or all have the same."""
        full = [site for site, connection in sites.items() if has_rows(connection, table)]
        if not set(full).intersection(new):
            return None
        if len(full) == 1:
            return full[0]
        _require_equal(table, sites)
        return None


def _parents_first(connection: Connection, names: Sequence[Name]) -> list[Name]:
    parents: dict[Name, set[Name]] = {name: set() for name in names}
    for child_schema, child, parent_schema, parent, _ in connection.execute(_REFERENCES).fetchall():
        pair = (str(child_schema), str(child)), (str(parent_schema), str(parent))
        if pair[0] in parents and pair[1] in parents and pair[0] != pair[1]:
            parents[pair[0]].add(pair[1])
    try:
        return list(TopologicalSorter(parents).static_order())
    except CycleError:
        return list(names)  # tables that refer to each other have no first


def _require_decided(connection: Connection, rules: Rules, names: Sequence[Name]) -> None:
    """Raise :class:`UsageError` where foreign keys lead round in a circle in which it is not decided who is there."""
    known = {*rules.replicated, *(".".join(name) for name in names)}
    found = (
        (f"{child_schema}.{child}", f"{parent_schema}.{parent}", str(name))
        for child_schema, child, parent_schema, parent, name in connection.execute(_REFERENCES).fetchall()
    )
    references = [
        Reference(child, name, parent, rules.table(child).parent(name))
        for child, parent, name in found
        if {child, parent} <= known
    ]
    faults = [f"  {table}: {wrong.key}: {wrong.message}: {wrong.hint}" for table, wrong in circle_faults(references)]
    if faults:
        raise UsageError("\n".join(["the rules leave undecided which rows are there:", *faults]))


def _require_initialised(connection: Connection, site: str) -> None:
    if not _is_initialised(connection):
        raise UsageError(f"{site} is not under replication yet: run python -m replication init --site {site}")


def _is_initialised(connection: Connection) -> bool:
    return connection.execute("SELECT to_regclass('kuroshio.site') IS NOT NULL").fetchone() == (True,)


def _exists(connection: Connection, name: Name) -> bool:
    row = connection.execute("SELECT to_regclass(format('%%I.%%I', %s::text, %s::text)) IS NOT NULL", name).fetchone()
    return row == (True,)


def _described_at(site: str, connection: Connection, name: Name, rules: TableRules) -> Table:
    try:
        return describe(connection, *name, rules.first_name)
    except UsageError as fault:
        raise UsageError(f"at {site}: {fault}") from fault


def _lock(connection: Connection, table: Table) -> None:
    connection.execute("SET LOCAL lock_timeout = '10s'")
    connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(table.identifier))


def _require_equal(table: Table, sites: Mapping[str, Connection]) -> None:
    digests = Digests(table, stamped=False)
    buckets = read_buckets(sites, digests)
    unequal = differing(buckets)
    if not unequal:
        return
    suspects = read_suspects(sites, digests, unequal)
    counts = ", ".join(f"{site} {count}" for site, count in row_counts(buckets).items())
    key = next(iter(suspects.states), ())
    raise UsageError(
        f"{table} has rows at more than one site (rows: {counts}), and {suspects.total} of them are not the same,"
        f" for example ({', '.join(table.key)}) = ({', '.join(key)}): rows must be at one site only, or equal at all."
        " Keep them at the site where they are right and delete them at the others, then run this again"
    )

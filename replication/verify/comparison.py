"""Compares all replicated tables of all sites.

1. First a fence: what was committed before is applied everywhere, or nothing can be told.
2. A row may change while it is compared. So a difference counts only when it stands still: a second look, behind a
   fresh fence, finds the same row in the same two states. What keeps moving is looked at again, some times, and then
   said to be undecided: never equal, never different. And rows that follow from others come and go when apply looks
   after them: a table that differs is compared once more when every site has.
3. Tombstones need not be equal, for a site may drop one that all have passed. But no row may live beside its own
   (pitfall P3), no change may be parked, and hidden rows (replication/core/claims.py) are compared like the others.
4. Where rules say who receives what, equal means that each site has what it is entitled to (``scopes``), and no more
   (``exposure``), hidden rows among them.
"""

from collections.abc import Callable, Mapping

from psycopg import sql

from replication.errors import UsageError
from replication.postgres.catalog import Quoted, Table
from replication.postgres.connect import Connection
from replication.postgres.residency import shown_rows
from replication.sites import at_each
from replication.verify.between import dropped, enlisted
from replication.verify.digests import Digests
from replication.verify.exposure import exposures
from replication.verify.hidden import hidden_apart
from replication.verify.report import Difference, ParkedChange, Report, TableResult
from replication.verify.scopes import Entitled, Scope, entitled
from replication.verify.suspects import States, differing, read_buckets, read_suspects, row_counts
from replication.wait import set_aside
from sitecfg import Rules

MOST_NAMED = 100
"""Rows named for each table, and parked changes; the totals stand beside."""
LOOKS = 6
DEFAULT_RULES = Rules()

Sites = Mapping[str, Connection]
Name = tuple[str, str]
Fence = Callable[[], list[str]]
"""Waits until all that is committed now is applied everywhere, or looked after; returns in words what is behind."""


def compare(sites: Sites, fence: Fence, rules: Rules = DEFAULT_RULES, looked_after: Fence = list) -> Report:
    """Compare the sites, each by what the rules entitle it to. ``fence`` is called before every look, ``looked_after``
    once, before the tables that differ are compared again."""
    report = Report()
    report.undecided += fence()
    if report.undecided:
        return report
    agreed = [table for name in _replicated(sites) if (table := _agreed(sites, name, report)) is not None]
    tables = {table.qualified: (table, entitled(table, rules, list(sites))) for table in agreed}
    found = {name: _compare_table(sites, fence, *table) for name, table in tables.items()}
    again = [name for name, result in found.items() if result.differences and not result.undecided]
    if again:
        report.undecided += looked_after()
    found |= {name: _compare_table(sites, fence, *tables[name]) for name in again}
    for result in found.values():
        report.add(result)
    _find_parked(sites, report)
    return report


def _replicated(sites: Sites) -> list[Name]:
    query = "SELECT nspname, relname FROM kuroshio.replicated_table"
    lists = at_each(sites, lambda connection: connection.execute(query).fetchall())
    return sorted({(str(schema), str(name)) for rows in lists.values() for schema, name in rows})


def _agreed(sites: Sites, name: Name, report: Report) -> Table | None:
    """The table as all sites have it; None, and a difference, where they do not."""
    label, lacking, found = ".".join(name), {}, {}
    for site, connection in sites.items():
        try:
            found[site] = enlisted(connection, name)
        except UsageError as fault:
            lacking[site] = str(fault)
    definitions = {
        (tuple(sorted(table.types.items())), tuple(sorted(table.renamed.items())), table.key)
        for table in found.values()
    }
    if lacking or len(definitions) > 1:
        detail = "; ".join(f"{site}: {reason}" for site, reason in lacking.items()) or "its columns or key differ"
        report.tables[label] = TableResult()
        report.differences.append(Difference(label, "table", at=tuple(found), missing_at=tuple(lacking), detail=detail))
        return None
    return next(iter(found.values()))


def _dropped(sites: Sites, table: Table) -> tuple[str, ...]:
    """The columns that some site has dropped."""
    found = at_each(sites, lambda connection: dropped(connection, table))
    return tuple(sorted(set().union(*found.values())))


def _compare_table(sites: Sites, fence: Fence, table: Table, audience: Entitled | None) -> Report:
    report = Report()
    total = report.tables[str(table)] = TableResult()
    scopes = [Scope(tuple(sites))] if audience is None else list(audience.scopes(shown_rows(table)))
    gone = _dropped(sites, table)
    for scope in scopes:
        digests = Digests(table, scope.stamped, gone, scope.columns, scope.rows)
        result = _compare_scope({name: sites[name] for name in scope.sites}, digests, fence, report)
        total.differing += result.differing
        for name, rows in result.rows.items() if scope.stamped else ():
            total.rows[name] = total.rows.get(name, 0) + rows
    for site, connection in sites.items():
        report.differences += _ghosts(site, connection, table)
    apart = hidden_apart(sites, table, audience)
    total.differing += len(apart)
    report.differences += [_hidden(table, *found) for found in list(apart.items())[:MOST_NAMED]]
    if audience is not None:
        report.differences += exposures(sites, audience, MOST_NAMED)
    return report


def _compare_scope(sites: Sites, digests: Digests, fence: Fence, report: Report) -> TableResult:
    result, table = TableResult(), digests.table
    for _ in range(LOOKS):
        if _is_settled(sites, digests, fence, report, result):
            break
    else:
        report.undecided.append(f"{table}: rows differ and keep changing; run verify again when less is written")
    return result


def _is_settled(sites: Sites, digests: Digests, fence: Fence, report: Report, result: TableResult) -> bool:
    """Two looks at a table, with a fence between them. False: what differed has moved meanwhile, and proves nothing."""
    buckets = read_buckets(sites, digests)
    result.rows = row_counts(buckets)
    suspects = read_suspects(sites, digests, differing(buckets))
    if not suspects.states:
        return True
    if late := fence():
        report.undecided += late
        return True
    again = read_suspects(sites, digests, sorted(suspects.buckets))
    standing = {key: states for key, states in again.states.items() if suspects.states.get(key) == states}
    if standing:
        result.differing = len(standing) if suspects.is_complete else suspects.total
        report.differences += _named(sites, digests, standing)
    return bool(standing) or (suspects.is_complete and not again.states)


def _named(sites: Sites, digests: Digests, standing: Mapping[tuple[str, ...], States]) -> list[Difference]:
    """The first rows that differ, with the columns in which they do."""
    return [_difference(sites, digests, key, standing[key]) for key in sorted(standing)[:MOST_NAMED]]


def _difference(sites: Sites, digests: Digests, key: tuple[str, ...], states: States) -> Difference:
    here = {site: state for site, state in states.items() if state is not None}
    groups = [[site for site in here if here[site] == state] for state in dict.fromkeys(here.values())]
    cells = {site: digests.columns(sites[site], key) or {} for site in here}
    names = sorted(set().union(*cells.values()))
    data_differs = len({data for data, _ in here.values()}) > 1
    return Difference(
        str(digests.table),
        "missing" if len(here) < len(states) else "data" if data_differs else "stamps",
        dict(zip(digests.table.key, key, strict=True)),
        [name for name in names if len({found.get(name) for found in cells.values()}) > 1],
        list(here),
        [site for site in states if site not in here],
        groups,
    )


_GHOSTS = """
SELECT t.key FROM kuroshio.tombstone t JOIN {table} r ON t.key = {key}
 WHERE t.nspname = %s AND t.relname = %s AND t.stamps IS NOT NULL
   AND greatest(kuroshio.get(r.kuroshio, 8589934592), 1) <= t.life ORDER BY t.key LIMIT %s"""


def _ghosts(site: str, connection: Connection, table: Table) -> list[Difference]:
    """Rows that live beside a tombstone which says that they do not: one that outlived its delete keeps a bare one."""
    key = sql.SQL("ARRAY[{}]").format(
        sql.SQL(", ").join(sql.SQL("r.{}::text").format(Quoted(name)) for name in table.key)
    )
    query = sql.SQL(_GHOSTS).format(table=table.quoted, key=key)
    return [
        Difference(
            str(table),
            "tombstone",
            dict(zip(table.key, key, strict=True)),  # type: ignore[call-overload]
            at=[site],
            detail=f"lives at {site} beside its own tombstone",
        )
        for (key,) in connection.execute(query, (*table.qualified, MOST_NAMED))
    ]


def _hidden(table: Table, key: tuple[str, ...], at: tuple[str, ...]) -> Difference:
    return Difference(
        str(table), "hidden", dict(zip(table.key, key, strict=True)), at=list(at), detail="a hidden row differs"
    )


_PARKED = """
SELECT nspname || '.' || relname, key, op::text, origin, reason, detail FROM kuroshio.parked
 ORDER BY parked_at, nspname, relname, key LIMIT %s"""


def _find_parked(sites: Sites, report: Report) -> None:
    counts = set_aside(sites)
    report.parked_total = sum(counts.values())
    for site in counts:
        for row in sites[site].execute(_PARKED, (MOST_NAMED,)).fetchall():
            table, key, op, origin, reason, detail = row
            report.parked.append(
                ParkedChange(site, str(table), list(key), str(op), str(origin), str(reason), str(detail))  # type: ignore[call-overload]
            )

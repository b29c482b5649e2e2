"""What is at a site and should not be: rows that are not shared with it, and values where a mask should stand."""

from collections.abc import Iterator, Mapping, Sequence

from psycopg import sql

from replication.core.stamps import MASKED, SITE_MASK, cell_key
from replication.postgres.catalog import Constant, Quoted, Table
from replication.postgres.connect import Connection
from replication.verify.report import Difference
from replication.verify.scopes import Entitled

_OWN = """(coalesce(nullif(kuroshio.get(kuroshio, {moment}), 0), kuroshio[1]) & {site_mask})
          = (SELECT number FROM kuroshio.site)"""


def exposures(sites: Mapping[str, Connection], table: Entitled, most: int) -> Iterator[Difference]:
    """The rows and values that a site has beyond what the rules entitle it to. What it wrote itself, it may show."""
    for held, condition in table.classes():
        for site, sight in table.sights(held).items():
            if site not in sites:
                continue
            if not sight.admits:
                if table.views[site].rows.column is not None:
                    yield from _found(sites[site], site, table.table, condition, "the row is not shared with it", most)
                continue
            for name in sorted(sight.hidden.intersection(table.table.types)):
                shown = _shows(name, condition)
                yield from _found(sites[site], site, table.table, shown, f"{name} is not masked there", most)


def _shows(column: str, condition: sql.Composable) -> sql.Composed:
    return sql.SQL("{} AND kuroshio.get(kuroshio, {}) = 0 AND NOT " + _OWN).format(
        condition,
        Constant(cell_key(column, MASKED)),
        moment=Constant(cell_key(column)),
        site_mask=Constant(SITE_MASK),
    )


def _found(
    connection: Connection, site: str, table: Table, condition: sql.Composable, what: str, most: int
) -> Iterator[Difference]:
    parts = sql.SQL(", ").join(sql.SQL("{}::text").format(Quoted(name)) for name in table.key)
    key = sql.SQL("ARRAY[{}]").format(parts)
    query = sql.SQL("SELECT {} FROM {} WHERE {} ORDER BY 1 LIMIT %s").format(key, table.quoted, condition)
    for (values,) in connection.execute(query, (most,)).fetchall():
        keys: Sequence[str] = values  # type: ignore[assignment]
        named = dict(zip(table.key, keys, strict=True))
        yield Difference(str(table), "exposed", named, at=[site], detail=f"at {site}: {what}")

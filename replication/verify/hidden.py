"""Hidden rows that are not the same at the sites that are entitled to them (replication/core/claims.py)."""

from collections.abc import Mapping

from psycopg import sql

from replication.postgres.catalog import Table
from replication.postgres.connect import Connection
from replication.postgres.residency import hidden_rows
from replication.sites import at_each
from replication.verify.scopes import Entitled, Scope

Key = tuple[str, ...]

_HIDDEN = """
SELECT key, md5(ROW(CASE WHEN %(stamped)s THEN hidden END,
                    CASE WHEN %(stamped)s THEN (kuroshio.unmarked(stamps))[1:1] || (kuroshio.unmarked(stamps))[3:] END,
                    CASE WHEN %(stamped)s THEN parts END,
                    (SELECT jsonb_object_agg(name, value) FROM jsonb_each(cells) AS c(name, value)
                      WHERE %(columns)s::text[] IS NULL OR name = ANY (%(columns)s::text[])))::text)
  FROM {source} AND {rows}"""


def hidden_apart(
    sites: Mapping[str, Connection], table: Table, audience: Entitled | None
) -> dict[Key, tuple[str, ...]]:
    """The keys of all rows of a table that are hidden at all sites that have them, and differ, with these sites. One
    that is hidden here and shown there differs as the shown ones do."""
    scopes = [Scope(tuple(sites))] if audience is None else audience.scopes(hidden_rows(table))
    return {key: scope.sites for scope in scopes for key in _apart(sites, table, scope)}


def _apart(sites: Mapping[str, Connection], table: Table, scope: Scope) -> list[Key]:
    query = sql.SQL(_HIDDEN).format(source=hidden_rows(table).source, rows=scope.rows or sql.SQL("true"))
    columns = None if scope.columns is None else sorted(scope.columns)
    parameters = {"stamped": scope.stamped, "columns": columns}
    entitled = {name: sites[name] for name in scope.sites}
    rows = at_each(entitled, lambda connection: connection.execute(query, parameters).fetchall())
    found: dict[str, dict[Key, str]] = {
        site: {tuple(key): str(digest) for key, digest in listed}  # type: ignore[arg-type]
        for site, listed in rows.items()
    }
    everywhere = set.intersection(*(set(listed) for listed in found.values()))
    return [key for key in sorted(everywhere) if len({listed[key] for listed in found.values()}) > 1]

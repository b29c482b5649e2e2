"""What is at a site and should not be: rows that are not shared with it, and values where a mask should stand."""

from collections.abc import Iterator, Mapping

from replication.postgres.connect import Connection
from replication.postgres.residency import beyond
from replication.verify.report import Difference
from replication.verify.scopes import Entitled


def exposures(sites: Mapping[str, Connection], table: Entitled, most: int) -> Iterator[Difference]:
    """The rows and values that a site has beyond what the rules entitle it to. What it wrote itself, it may show."""
    for site, connection in sites.items():
        for column, keys in beyond(connection, table.table, table.views[site], most).items():
            what = f"{column} is not masked there" if column else "the row is not shared with it"
            for key in keys:
                named = dict(zip(table.table.key, (part.decode() for part in key), strict=True))
                columns = [column] if column else []
                yield Difference(str(table.table), "exposed", named, columns, [site], detail=f"at {site}: {what}")

"""What this site's streams are made with where its peers may not all see the same."""

from collections.abc import Callable
from functools import cache

from replication.audience import views_in_use, views_of_peers
from replication.capture.narrowing import Narrower
from replication.core.masking import conceal
from replication.core.views import Mask, View, deciding_columns
from replication.keys import masking_key
from replication.postgres.connect import Connection
from replication.postgres.masks import shown
from sitecfg import Config, Site

Table = tuple[str, str]


def deciding_of(config: Config, site: Site) -> Callable[[Table], tuple[str, ...]]:
    """The columns of a table by which some peer's view is decided."""
    views = views_in_use(config, site.name)
    return cache(lambda table: deciding_columns(views, table))


def narrower_for(config: Config, site: Site, connection: Connection, view: View) -> Narrower:
    """Makes the batches of one view; asks this database what a masked column can show."""
    look = cache(lambda table, column: shown(connection, table, column))
    hashes = any(mask.kind == "hash" for table in view.tables.values() for _, mask in table.cells.values())
    key = masking_key(site) if hashes else b""

    def masked(table: Table, column: str, mask: Mask, value: bytes | None) -> bytes | None:
        found = look(table, column)
        return conceal(value, mask, key, found.empty, found.longest)

    readers = [name for name, seen in views_of_peers(config, site.name).items() if seen.name == view.name]
    return Narrower(view, readers, masked)

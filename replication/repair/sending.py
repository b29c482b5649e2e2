"""Has a site send rows again as they stand there: whole, each cell under its own stamp, to whoever may have them.

1. It is nobody's write. What a site sends, the others merge, as they do when a row becomes shared: nothing that is
   newer is lost, nothing is overwritten that the rules would not overwrite, and a row sent twice changes nothing.
2. It travels in the site's own log, signed, and made for each peer as everything in it is (invariant 7).
"""

from collections.abc import Sequence

from replication.core.changes import Key
from replication.definitions import row_rules
from replication.postgres import residency, states
from replication.postgres.catalog import Table
from replication.postgres.connect import Connection
from sitecfg import Config


def send_again(connection: Connection, config: Config, table: Table, keys: Sequence[Key]) -> int:
    """Note rows for capture; belongs in a transaction. Returns how many there are anything of."""
    rules = row_rules(table, config.rules)
    found = states.read(connection, table, keys, rules, lock=False)
    for key, local in found.items():
        residency.note_again(connection, table, key, local.row, rules, list(config.sites))
    return len(found)

"""What a site wrote that no other may have: set aside before its tables are emptied, merged and sent once they are
full.

1. What is set aside of a row are the cells that the site wrote since a moment, as the change that they are. All else
   that the row held, the donor has (`seeding.lacking`).
2. It is merged by apply like any change that waited, by the rules; and sent whole, with the tombstone if the snapshot
   has one: a peer may have dropped its own, because this site had said long ago that it has passed it.
3. A row that the snapshot neither holds nor knows as deleted was deleted so long ago that everybody has forgotten it,
   unless its insert is here and no peer can be sure to have had that. An edit of it does not bring it back; it is put
   on record.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

from psycopg.types.json import Jsonb

from replication.core.changes import Author, Change, Key, from_json
from replication.core.conflicts import existence_conflict
from replication.core.merge import Row, RowRules, merge
from replication.core.rules import may_be_written
from replication.core.stamps import hlc_of, site_of
from replication.postgres import applying, residency, rewriting, states
from replication.postgres.catalog import Table
from replication.postgres.connect import Connection
from replication.postgres.parameters import register


def set_aside(connection: Connection, table: Table, rules: RowRules, author: Author, since_us: int) -> None:
    """Keep what this site wrote to a table from ``since_us`` on."""
    register(connection)
    for keys in rewriting.written(connection, table, author.number, since_us):
        for key, local in states.read(connection, table, keys, rules, lock=False).items():
            for change in own_changes(table.qualified, key, local.row, rules, author, since_us):
                connection.execute(
                    "INSERT INTO kuroshio.kept (nspname, relname, key, moment, op, change)"
                    " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                    (*table.qualified, _texts(key), change.moment, change.op, Jsonb(change.to_json())),
                )


def own_changes(
    table: tuple[str, str], key: Key, row: Row, rules: RowRules, author: Author, since_us: int
) -> Iterable[Change]:
    """The part of a row's state that its author wrote from ``since_us`` on, as changes: the insert or the edit, and the
    delete."""

    def is_own(moment: int) -> bool:
        return site_of(moment) == author.number and hlc_of(moment) >= since_us

    inserted = is_own(row.base)
    cells = {
        name: cell
        for name, cell in row.cells.items()
        if inserted or is_own(cell.stamp.moment) or may_be_written(cell.parts, author.number, since_us)
    }
    if inserted or cells:
        moments = [cell.stamp.moment for cell in cells.values()]
        newest = row.base if inserted else max(filter(is_own, moments), default=max(moments))
        yield Change(
            table,
            "I" if inserted else "U",
            key,
            {name: cell.value for name, cell in cells.items()},
            newest,
            0,
            author,
            row.life,
            {name: (cell.stamp.term, cell.stamp.epoch) for name, cell in cells.items() if cell.stamp[:2] != (0, 0)},
            {name: (row.base, rules.fold(name, cell, row.base)) for name, cell in cells.items() if cell.parts},
            moments={name: cell.stamp.moment for name, cell in cells.items() if cell.stamp.moment != newest},
        )
    if row.deleted and is_own(row.deleted):
        saw = tuple(row.saw.pack())
        yield Change(table, "D", key, {}, row.deleted, 0, author, row.life, saw=saw, referential=row.cascaded)


def bring_back(
    connection: Connection, table: Table, rules: RowRules, author: Author, sites: Sequence[str], passed_us: int
) -> tuple[int, int]:
    """Have what was set aside of a table merged and sent, now that the snapshot is there; return of how many rows, and
    of how many that nobody knows any more. ``passed_us``: a peer has had every insert that is stamped before."""
    register(connection)
    kept = _kept(connection, table, author)
    there = states.read(connection, table, sorted(kept), rules, lock=False)
    forgotten = {
        key
        for key, [first, *_] in kept.items()
        if key not in there and (first.op != "I" or hlc_of(first.moment) < passed_us)
    }
    for key in kept.keys() - forgotten:
        known = there.get(key, states.NOTHING).row
        row = reduce(lambda row, change: merge(row, change.row(rules), rules), kept[key], known)
        residency.note_again(connection, table, key, row, rules, sites)
        for change in kept[key]:
            applying.park(connection, change, "insert", "it was written here before the site was seeded")
    lost = [kept[key][-1] for key in sorted(forgotten)]
    applying.record_conflicts(
        connection, [existence_conflict(c.table, c.key, 0, c.moment, rules, kind="update_deleted") for c in lost]
    )
    connection.execute("DELETE FROM kuroshio.kept WHERE nspname = %s AND relname = %s", table.qualified)
    return len(kept) - len(forgotten), len(forgotten)


def _kept(connection: Connection, table: Table, author: Author) -> dict[Key, list[Change]]:
    """Key -> its changes: the insert or the edit first."""
    rows: list[Any] = connection.execute(
        "SELECT op::text, key, moment, change FROM kuroshio.kept WHERE nspname = %s AND relname = %s"
        " ORDER BY key, op = 'D'",
        table.qualified,
    ).fetchall()
    found: dict[Key, list[Change]] = {}
    for op, key, moment, body in rows:
        origin = (author.origin, author.number)
        change = from_json(table.qualified, op, key, moment, origin, author.to_lsn, body)
        found.setdefault(change.key, []).append(change)
    return found


def _texts(key: Key) -> list[str]:
    return [part.decode() for part in key]

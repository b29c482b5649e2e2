"""What stamps take on disk: how much larger a table is than the same without them, after VACUUM FULL, by row as
inserted and by cell edited since."""

from psycopg import sql

from tests.bench import backlog
from tests.bench.figures import Measured
from tests.bench.memory import insert
from tests.bench.pair import Pair, running_pair

ROWS = 20_000
STAMPED, PLAIN = "customer", "customer_plain"
EDITED = ("phone", "updated", "credit")
EDIT = "update {} set phone = '+886-2-1', updated = '2026-01-01', credit = 1"

KEYS = ("stamp_bytes_per_row", "stamp_bytes_per_cell")


def measure(rows: int = ROWS) -> Measured:
    """Compare the two tables twice: as inserted, and with three cells of each row edited."""
    with running_pair() as pair:
        pair.create(STAMPED)
        backlog.create(pair.at_origin, PLAIN)
        insert(pair, rows)
        pair.at_origin.execute(
            f"insert into {PLAIN} select id, name, phone, credit, tags, note, updated from {STAMPED}"
        )
        inserted = _difference_bytes(pair)
        for table in (PLAIN, STAMPED):
            pair.at_origin.execute(sql.SQL(EDIT).format(sql.Identifier(table)))
        edited = _difference_bytes(pair)
        pair.verify()
    return {
        "stamp_bytes_per_row": (inserted / rows, {"rows": rows}),
        "stamp_bytes_per_cell": ((edited - inserted) / rows / len(EDITED), {"rows": rows, "cells": len(EDITED)}),
    }


def _difference_bytes(pair: Pair) -> int:
    sizes = []
    for table in (STAMPED, PLAIN):
        pair.at_origin.execute(sql.SQL("vacuum full {}").format(sql.Identifier(table)))
        row = pair.at_origin.execute("select pg_relation_size(%s::regclass)", (table,)).fetchone()
        assert row is not None
        sizes.append(int(str(row[0])))
    return sizes[0] - sizes[1]

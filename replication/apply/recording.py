"""Keeps conflicts, and says and counts those that were not on record already."""

from collections import Counter
from collections.abc import Collection

from replication import events, metrics
from replication.core.conflicts import Conflict
from replication.postgres import applying
from replication.postgres.catalog import Table
from replication.postgres.connect import Connection


def record(connection: Connection, table: Table, found: Collection[Conflict]) -> None:
    """Keep what was decided about rows of one table."""
    if not found:
        return
    with connection.pipeline():
        written = applying.record_conflicts(connection, found)
    fresh = [conflict for conflict, cursor in zip(found, written, strict=True) if cursor.rowcount]
    for (kind, rule, resolution), count in Counter((one.type, one.rule, one.resolution) for one in fresh).items():
        metrics.CONFLICTS.labels(str(table), kind, rule, resolution).inc(count)
        events.logger().info(events.CONFLICTS_RECORDED, table=str(table), type=kind, resolution=resolution, count=count)

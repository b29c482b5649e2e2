"""Rows that are out of sight and not forgotten, and how they are deleted for good in the end: pure.

A deleted row to which something was written unseen is kept (`core.merge.is_contested`), and so is one that fell with
its parent (`core.claims`): another rule would show them, or whoever brings the parent back. They are kept for a stated
time. Then one site *buries* them: it writes a delete that has seen all there is of the row.

1. That is a delete like any other: it travels, merges, and its tombstone goes when every site has passed it. So nothing
   has to converge that did not before, and no site forgets by itself what another still has.
2. A buried row is dead under every rule, and contested no more. What somebody wrote that the delete has not seen counts
   against it by the table's rule.
3. A row that fell is buried as one that was deleted *with its parent*: where that comes back all the same, so does the
   row, if the database would have deleted it with the parent (`core.families`).
4. It is the task of the site that deleted the row, or its parent; of the first one where that is no site any more.
"""

from collections.abc import Collection
from dataclasses import replace

from replication.core.merge import Row
from replication.core.stamps import site_of
from replication.core.writing import Writer


def bury(row: Row, writer: Writer, clock_us: int) -> Row:
    """The row under a delete that has seen all of it."""
    return replace(writer.delete(row, clock_us), cascaded=row.cascaded or not row.deleted)


def is_task_of(site: int, deleted: int, sites: Collection[int]) -> bool:
    """Is it this site's to bury what was deleted at this moment, or fell by it?"""
    author = site_of(deleted)
    return site == (author if author in sites else min(sites))

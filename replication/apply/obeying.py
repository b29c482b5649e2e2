"""Does what operators ask about changes that wait here (replication/requests.py), as part of the one apply writer.

1. A request is answered in the transaction in which it is obeyed; one that was interrupted is obeyed again.
2. An edit is an ordinary write by somebody who saw the change. So first the row hears of the change's moment, under the
   replication origin; then an ordinary session writes, and the stamp trigger stamps above what the row has heard. The
   write is captured and beats the change at every site; the change itself is tried after it, and loses where it was
   edited. A row that is not here is inserted anew, later than the change.
3. What cannot be done changes nothing, and the answer says why.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import psycopg

from replication import events
from replication.apply.applier import Applier
from replication.clock import now_us
from replication.core.changes import Change
from replication.core.stamps import hlc_of
from replication.errors import UsageError
from replication.postgres import applying, orders, states
from replication.postgres.catalog import Table
from replication.postgres.connect import Connection, connect
from replication.postgres.orders import Order
from replication.postgres.states import Local
from replication.requests import Action, Outcome

_LOCK_SECONDS = 5.0

Answer = tuple[Outcome, str]


@dataclass(slots=True)
class Obedience:
    """Obeys through the apply writer's connection. ``retry`` merges a change that waits, or parks it once more."""

    connection: Connection
    dsn: str
    applier: Applier
    numbers: Mapping[str, int]
    retry: Callable[[Change, int], None]

    def step(self) -> None:
        """Obey what is asked for now."""
        for order in orders.unanswered(self.connection):
            self.applier.tables.forget()
            self.applier.fast.forget()
            answer = self._obey(order)
            events.logger().info(events.REQUEST_ANSWERED, action=order.action, outcome=answer[0])

    def _obey(self, order: Order) -> Answer:
        refusal = self._edit(order) if order.action == Action.EDIT else ""
        with self.connection.transaction():
            answer = (Outcome.FAILED, refusal) if refusal else self._act(order)
            orders.answer(self.connection, order, *answer)
        return answer

    def _act(self, order: Order) -> Answer:
        match order.action:
            case Action.RETRY | Action.EDIT:
                return self._try(order)
            case Action.DISCARD:
                return (Outcome.DISCARDED if orders.discard(self.connection, order) else Outcome.GONE), ""
            case Action.RESTORE:
                return (Outcome.RESTORED if orders.restore(self.connection, order) else Outcome.GONE), ""
            case _:
                return Outcome.FAILED, f"{order.action} is no request that this version knows"

    def _try(self, order: Order) -> Answer:
        found = applying.parked(self.connection, self.numbers, 1, order.parked)
        if not found:
            return Outcome.GONE, ""
        change, tries = found[0]
        self.retry(self._as_seen(change) if order.action == Action.EDIT else change, tries)
        stands = orders.standing(self.connection, order)
        return (Outcome.WAITS, ": ".join(filter(None, stands))) if stands else (Outcome.TAKEN, "")

    def _edit(self, order: Order) -> str:
        """Why it could not be written; empty where it was, or nothing waits any more."""
        try:
            for change, _ in applying.parked(self.connection, self.numbers, 1, order.parked):
                self._write(change, order.cells)
        except UsageError as fault:
            return str(fault)
        return ""

    def _write(self, change: Change, cells: Mapping[str, str | None] | None) -> None:
        if cells is None:
            raise UsageError("the row was withdrawn from this site after this was asked for")
        table = self.applier.tables.get(change.table)
        if table is None or not set(cells) <= set(table.values):
            raise UsageError("this site has no such table, or no such column")
        is_there = self._hear(table, change)
        if not is_there and change.op != "I":
            raise UsageError("the row is not in its table here: only a change that inserts it can be edited now")
        if not is_there and hlc_of(change.moment) >= now_us():
            raise UsageError("the change bears a time that has not come yet here: ask again when it has")
        told = {name: None if value is None else value.decode() for name, value in change.cells.items()}
        held = cells if is_there else {name: told[name] for name in told if name in table.values} | dict(cells)
        try:
            with connect(self.dsn, name="edit") as session, session.transaction():
                applying.wait_for_locks(session, _LOCK_SECONDS)
                orders.write_row(session, table, change.key, held, new=not is_there)
        except psycopg.Error as fault:
            raise UsageError(str(fault).splitlines()[0]) from fault

    def _hear(self, table: Table, change: Change) -> bool:
        """Let the row know of the change's moment; False: there is no such row."""
        with self.connection.transaction():
            local = self._read(table, change)
            if not local.visible:
                return False
            heard = replace(change, op="U", cells={}, authority={}, parts={}, seen=change.moment, is_whole=True)
            self.applier.merger.merge(table, [replace(heard, life=local.row.life)])
        return True

    def _as_seen(self, change: Change) -> Change:
        """The change beside the edit that was made with knowledge of it: between the two there is no conflict."""
        table = self.applier.tables.get(change.table)
        return replace(change, seen=self._read(table, change).row.newest) if table else change

    def _read(self, table: Table, change: Change) -> Local:
        rules = self.applier.tables.rules(table)
        return states.read(self.connection, table, [change.key], rules).get(change.key, states.NOTHING)

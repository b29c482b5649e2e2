"""What an operator types about a change that waits."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID, uuid4

from django.http import QueryDict

from crm.ops.sealed import sealed_of
from replication.requests import Action
from replication.status import Waiting


@dataclass(frozen=True)
class Cell:
    """One column of a change: what it would write, what is here, what was typed."""

    column: str
    theirs: str | None
    here: str | None
    typed: str | None

    @property
    def is_long(self) -> bool:
        return len(self.typed or "") > 60 or "\n" in (self.typed or "")

    @property
    def is_edited(self) -> bool:
        return self.typed != self.theirs


def cells_of(change: Waiting, here: Mapping[str, str | None] | None, sent: QueryDict | None = None) -> list[Cell]:
    """The columns of a change that operators see, with what the browser sent or else what the change says. No other
    column is read from what was sent."""
    sealed = sealed_of(change.table)
    return [
        Cell(column, value, (here or {}).get(column), _typed(column, value, sent))
        for column, value in sorted(change.cells.items())
        if column not in sealed
    ]


def _typed(column: str, theirs: str | None, sent: QueryDict | None) -> str | None:
    """A ticked box says that there is no value; nothing typed where there is none changes nothing."""
    if sent is None or f"cell_{column}" not in sent:
        return theirs
    if f"none_{column}" in sent:
        return None
    typed = str(sent[f"cell_{column}"]).replace("\r\n", "\n")
    return None if theirs is None and not typed else typed


@dataclass(frozen=True)
class Wish:
    """What was sent: an action, why, and under which id."""

    action: Action
    why: str
    request: UUID


def read_wish(sent: QueryDict) -> Wish | None:
    """None for what this page does not send."""
    try:
        return Wish(Action(sent.get("action", "")), sent.get("why", "").strip(), UUID(sent.get("request", "")))
    except ValueError:
        return None


def new_request() -> UUID:
    """The id under which a page asks: sent twice, it is asked once."""
    return uuid4()

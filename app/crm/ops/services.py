"""What an operator asks of this site's replication. Asking is all that the application does; apply obeys."""

from collections.abc import Mapping
from uuid import UUID

from crm.accounts.models import User
from crm.core.session import database
from crm.ops.forms import Wish
from replication.requests import Action, ask, ask_back, ask_comparison


def ask_for(*, wish: Wish, parked: int, by: User, cells: Mapping[str, str | None]) -> None:
    """Ask for something to be done with a change that waits; twice under one id is once. Only an edit has cells."""
    edit = cells if wish.action == Action.EDIT else None
    ask(database(), wish.action, parked, by=by.username, why=wish.why, cells=edit, request=wish.request)


def ask_for_return(*, discarded: UUID, by: User) -> None:
    """Ask for a discarded change to wait again."""
    ask_back(database(), discarded, by=by.username)


def ask_to_compare(*, by: User) -> None:
    """Have this site compare all its tables with the others' now."""
    ask_comparison(database(), by=by.username)

"""What changes people's rows."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from crm.accounts.models import User
from crm.core.versions import Outcome
from crm.core.writing import write_edit


def update_account(
    *, key: UUID, fields: tuple[str, ...], seen: str, typed: Mapping[str, Any], by: UUID | None
) -> Outcome:
    """Save what changed of an account, such as a person's own preferences: it holds at every site."""
    return write_edit(User.objects.all(), key=key, fields=fields, seen=seen, typed=typed, by=by)


def create_user(*, key: UUID, username: str, password: str, **values: Any) -> User:
    """Add a person who can log in at every node, once the row has travelled."""
    user = User(id=key, username=username, **values)
    user.set_password(password)
    return User.objects.bulk_create([user])[0]

"""What a person does with conflicts: look at a page, pick, answer."""

import re
from typing import Any
from uuid import UUID

from django.test import Client
from django.urls import reverse

from crm.accounts.models import User
from crm.core.forms import RowForm
from crm.core.models import Replicated
from crm.history.models import Edit
from crm.reviews import selectors
from crm.reviews.gathering import gather
from crm.reviews.over_fields import FieldQuestion

PLAIN = {"accept-encoding": ""}


def page(client: Client, name: str, *keys: object, **asked: str) -> str:
    response = client.get(reverse(name, args=keys), asked, headers=PLAIN)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode())


def edited(row: Replicated, person: User, *columns: str, site: str, at: Any) -> None:
    table = row._meta.db_table
    Edit.objects.create(
        table=table, record=row.pk, columns=list(columns), person=person, owner_site=site, created_at=at
    )


def listed(**asked: str) -> list[UUID]:
    return [entry.conflict.id for entry in selectors.get_page(selectors.Asked(**asked), mark="").rows]


def question_of(key: UUID, user: User) -> FieldQuestion:
    (question,) = gather(selectors.get_with_mates([key]), user)
    assert isinstance(question, FieldQuestion)
    return question


def filled(question: FieldQuestion) -> RowForm[Any]:
    """The form of somebody who takes the value that lost."""
    chosen = question.choose(question.lost[0].value, {})
    assert chosen is not None
    form = chosen[1]
    assert form is not None
    assert form.is_valid()
    return form


def answer(client: Client, *keys: UUID, decision: str = "accept", **typed: str) -> Any:
    """Open the questions as a person does, choose, and send the form."""
    asked = {"id": [str(key) for key in keys], "decision": decision}
    shown = client.get(reverse("conflict_answer"), asked).context["questions"]
    sent: dict[str, Any] = {"id": [str(e.conflict.id) for each in shown for e in each.question.entries]}
    for each in shown:
        prefix = each.question.prefix
        sent |= {f"{prefix}-decision": each.chosen, f"{prefix}-version": each.question.version}
        sent |= {f"{prefix}-{name}": value for name, value in typed.items()}
    return client.post(reverse("conflict_answer"), sent)

"""What can be done about a record that fell with its parent: bring the parent back, as it was, or leave it."""

from collections.abc import Mapping
from typing import Any

from crm.reviews.claims import Fall
from crm.reviews.models import Decision
from crm.reviews.questions import Chosen, Question


class ParentQuestion(Question):
    """One record that fell with its parent. Who may change the parent may bring it back."""

    template = "reviews/parent.html"

    @property
    def fall(self) -> Fall:
        assert self.lead.fall is not None
        return self.lead.fall

    @property
    def may_return(self) -> bool:
        kind = self.fall.kind
        return kind is not None and self.fall.can_return and not kind.barrier(self.user, self.fall.former, ())

    def choose(self, chosen: str, sent: Mapping[str, Any]) -> Chosen | None:
        """The parent back (other); nothing is typed for it."""
        return (Decision.OTHER, None) if chosen == Decision.OTHER and self.may_return else None

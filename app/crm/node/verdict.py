"""The health of the replication in one sentence, then what to do. Pure but for the words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.node.standing import since_of, worst
from replication.status import LinkView, SiteView


@dataclass(frozen=True)
class Verdict:
    """`state` is the gravest of the links'; `problems` are those that somebody should look at,
    each with since when."""

    state: str
    sentence: str
    problems: Sequence[tuple[LinkView, datetime | None]]


def judge(view: SiteView | None) -> Verdict:
    """What a person should know first."""
    if view is None:
        return Verdict("unknown", _("Replication is not initialised at this node"), [])
    down = [link for link in view.links if link.state in {"cut", "stopped"}]
    rest = [link for link in view.links if link.state in {"late", "unknown"}]
    if not down and not rest:
        return Verdict("up", _("All lines are up"), [])
    problems = [*down, *rest]
    return Verdict(
        worst(link.state for link in problems), _sentence(down, rest), [(link, since_of(link)) for link in problems]
    )


def _sentence(down: Sequence[LinkView], rest: Sequence[LinkView]) -> str:
    if down:
        lines = len({frozenset((link.origin, link.reader)) for link in down})
        return ngettext("One line is down, nothing is lost", "%d lines are down, nothing is lost", lines).replace(
            "%d", str(lines)
        )
    if any(link.state == "late" for link in rest):
        return _("All lines are up, some are behind")
    return _("Not everything is known here")

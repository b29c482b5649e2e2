"""Why changes wait, what can be done about it and what came of it, in plain words."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

REASONS: Mapping[str, Promise] = {
    "refused": _("Set aside: this database refuses it"),
    "parent": _("Waits for the row that it belongs to"),
    "insert": _("Waits for the row itself"),
    "schema": _("Waits for a table or column"),
    "clock": _("Its time has not come here yet"),
}
SHORT_REASONS: Mapping[str, Promise] = {
    "refused": _("Set aside"),
    "parent": _("Belongs to another row"),
    "insert": _("Row is missing"),
    "schema": _("Column is missing"),
    "clock": pgettext_lazy("of a clock", "Ahead of time"),
}
_ON_ITS_WAY = _("It is on its way from another site. If it still waits when all lines are up, look for that row there.")
NEXT: Mapping[str, Promise] = {
    "refused": _("Mend what the database objects to and try again; or edit the change, or discard it."),
    "parent": _ON_ITS_WAY,
    "insert": _ON_ITS_WAY,
    "schema": _("Bring this site's schema up to date; what waits is then applied by itself."),
    "clock": _("Look at the clocks of both sites: one of them is wrong."),
}
OPS: Mapping[str, Promise] = {
    "I": pgettext_lazy("of a row", "New"),
    "U": pgettext_lazy("of a row", "Changed"),
    "D": pgettext_lazy("of a row", "Deleted"),
}
ACTIONS: Mapping[str, Promise] = {
    "retry": _("Tried again"),
    "edit": _("Edited"),
    "discard": _("Discarded"),
    "restore": _("Brought back"),
    "compare": _("Asked to compare"),
    "repair": _("Repaired"),
    "add-table": _("Put under replication"),
    "add-site": _("Site added"),
    "rejoin": _("Site brought back"),
    "remove-site": _("Site removed"),
    "snapshot": _("Snapshot taken"),
    "seed": _("Seeded from a snapshot"),
}
OUTCOMES: Mapping[str, Promise] = {
    "": _("not obeyed yet"),
    "taken": _("is applied"),
    "waits": _("waits on"),
    "discarded": _("is discarded here"),
    "restored": _("waits again"),
    "gone": _("did not wait any more"),
    "failed": _("could not be done"),
    "done": _("done"),
    "asked": _("asked for"),
    "closed": _("closed for good"),
    "given up": _("given up as lost"),
    "forgotten": _("forgotten by the others"),
}


def said(words: Mapping[str, Promise], code: str) -> str:
    """The words of a code; one that has none yet by itself."""
    return str(words.get(code, code))

"""Why a value holds, in plain words."""

from collections.abc import Callable, Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.core import words
from crm.core.sites import config, site_title
from crm.reviews.entries import Entry
from crm.reviews.models import Decision
from crm.reviews.records import KINDS
from sitecfg import Limits

_TITLES: Mapping[str, Promise] = {
    "latest": gettext_lazy("Later edit"),
    "site": gettext_lazy("One site's word"),
    "owner": gettext_lazy("Owning site's word"),
    "greatest": gettext_lazy("Greatest value"),
    "least": gettext_lazy("Least value"),
    "frozen": gettext_lazy("First value"),
    "counter": gettext_lazy("Added up"),
    "set": gettext_lazy("All elements kept"),
    "append": gettext_lazy("All texts kept"),
}
_BEFELL: Mapping[str, Promise] = {
    "unique": gettext_lazy("Older claim"),
    "parent": gettext_lazy("Gone with its parent"),
}
_DELETES: Mapping[str, Promise] = {
    "delete = stamp": gettext_lazy("Later of edit and deletion"),
    "delete = wins": gettext_lazy("Deletion wins"),
    "delete = loses": gettext_lazy("Edit wins over deletion"),
}


def rule_title(rule: str) -> str:
    """The rule in two or three words; one that has none yet by its name."""
    return str({**_TITLES, **_BEFELL, **_DELETES}.get(rule.partition(".")[0], rule))


def rule_choices() -> list[tuple[str, str]]:
    """The rules that may have decided something here, as a filter offers them."""
    tables = [config().rules.table(kind.table) for kind in KINDS.values()]
    found = {"latest", *(rule.rule for table in tables for rule in table.columns.values())}
    deletes = sorted({f"delete = {table.delete}" for table in tables})
    befell = [("unique", any(table.unique_keys for table in tables))]
    befell += [("parent", any("falls" in table.parents.values() for table in tables))]
    names = [*(name for name in _TITLES if name in found), *(name for name, may_be in befell if may_be), *deletes]
    return [(rule, rule_title(rule)) for rule in names]


def why(entry: Entry) -> str:
    """Which rule decided, and what that means here."""
    if entry.held:
        return _claimed(entry)
    if entry.fall:
        return _fell(entry)
    if entry.column is None:
        return _existence(entry)
    tell = _REASONS.get(entry.conflict.rule)
    return tell(entry) if tell else _("The rule “%s” decided.") % entry.conflict.rule


def _existence(entry: Entry) -> str:
    if entry.deleted_won:
        return _("It was deleted in %(winner)s while %(loser)s changed it: the deletion holds.") % _places(entry)
    return _("%(winner)s changed it while it was deleted in %(loser)s: it stays.") % _places(entry)


def _claimed(entry: Entry) -> str:
    gap = (entry.loser.at - entry.winner.at).total_seconds()
    told = _(
        "%(winner)s and %(loser)s gave “%(value)s” to two records, neither knowing of the other. Only one can have it,"
        " and the older claim holds: that of %(loser)s came %(gap)s later."
    )
    return told % (_places(entry) | {"gap": words.age(gap), "value": entry.loser.value})


def _fell(entry: Entry) -> str:
    told = _(
        "%(winner)s deleted what this belongs to, while %(loser)s put it there without knowing of that. So it went out"
        " of sight with it, and is kept for %(days)s days in case that comes back."
    )
    site = config().sites.get(entry.winner.site)
    return told % (_places(entry) | {"days": (site.limits if site else Limits()).disputed_days})


def decided(entry: Entry) -> str:
    """What the answer was; empty where there is none."""
    if entry.settlement is None:
        return ""
    decision = Decision(entry.settlement.decision)
    told = _OF_KEY if entry.held else _OF_PARENT if entry.fall else {}
    return str(told.get(decision, decision.label))


_OF_KEY: Mapping[Decision, Promise] = {
    Decision.OTHER: gettext_lazy("gave the holder another value"),
    Decision.EDIT: gettext_lazy("gave it another value"),
}
_OF_PARENT: Mapping[Decision, Promise] = {Decision.OTHER: gettext_lazy("brought back what it belongs to")}


def _later(entry: Entry) -> str:
    gap = (entry.winner.at - entry.loser.at).total_seconds()
    if gap < 0:
        return _("Neither knew of the other. The value of %(winner)s holds.") % _places(entry)
    places = _places(entry) | {"gap": words.age(gap)}
    return _("Neither knew of the other. The later edit holds: %(winner)s wrote %(gap)s after %(loser)s.") % places


def _by_authority(entry: Entry) -> str:
    """Whose word it is, where the winner alone has it; of two who both have it, or neither, the later edit holds."""
    has, by = _word_of(entry, entry.winner.site)
    if not has or _word_of(entry, entry.loser.site)[0]:
        return _later(entry)
    if by == "owner":
        return _("Neither knew of the other. The record belongs to %(winner)s, whose value holds.") % _places(entry)
    told = _("Neither knew of the other. What %(winner)s says of this beats what others wrote meanwhile.")
    return told % _places(entry)


def _word_of(entry: Entry, site: str) -> tuple[bool, str]:
    """Has a site the word, and by which rule: the column's, or the one for what that site writes."""
    rule = config().rules.table(entry.conflict.table).column(entry.conflict.column)
    by = rule.written_by.get(site, entry.conflict.rule)
    if by == "owner":
        return entry.record is not None and entry.record.owner_site == site, by
    return by == "site" and (site in rule.written_by or site == rule.site), by


def _places(entry: Entry) -> dict[str, str]:
    return {"winner": site_title(entry.winner.site), "loser": site_title(entry.loser.site)}


_REASONS: Mapping[str, Callable[[Entry], str]] = {
    "latest": _by_authority,
    "site": _by_authority,
    "owner": _by_authority,
    "greatest": lambda _entry: _("The greatest value holds."),
    "least": lambda _entry: _("The least value holds."),
    "frozen": lambda _entry: _("It is set once: the first value stays."),
    "counter": lambda _entry: _("Both changes count: they were added up."),
    "set": lambda _entry: _("What was added and what was taken away both count."),
    "append": lambda _entry: _("Both texts are kept, one after the other."),
}

"""From the rules of the configuration to what each site may see (replication/core/views.py)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from replication.core import views, widening
from replication.core.views import ALWAYS, NEVER, Mask, Reach, TableView, View
from replication.core.widening import Audience, Widening
from sitecfg import Config
from sitecfg.rules import Rules, Share, TableRules


def view_for(rules: Rules, site: str) -> View:
    """What a site may see of every other's rows."""
    tables = {_split(name): _table_view(rules.table(name), site) for name in rules.replicated}
    return View({name: view for name, view in tables.items() if not view.is_everything})


def audience_for(rules: Rules, sites: Collection[str], table: tuple[str, str]) -> Audience:
    """What each site sees of a table."""
    return {site: view_for(rules, site).of(table) for site in sites}


def views_of_peers(config: Config, own: str) -> dict[str, View]:
    """Peer -> what it may see of this site's rows."""
    return {name: view_for(config.rules, name) for name in config.sites if name != own}


def views_in_use(config: Config, own: str) -> list[View]:
    """The different views that this site's peers read; the one of everything first."""
    distinct = {view.name: view for view in views_of_peers(config, own).values()}
    return [distinct[name] for name in sorted(distinct)] or [views.EVERYTHING]


class Audiences:
    """Who sees what of each table by the rules in force, as one site looks at it (replication/core/widening.py)."""

    def __init__(self, config: Config, own: str) -> None:
        sites = sorted(config.sites, key=lambda name: config.sites[name].number)
        self._own = own
        self._sees = {name: view_for(config.rules, name) for name in sites}

    def now(self, table: tuple[str, str]) -> Any:
        """The audience in force, as data."""
        return widening.as_data(self._of(table))

    def widening(self, table: tuple[str, str], earlier: Sequence[Any]) -> Widening:
        """What this site sends of a table where these audiences were in force before."""
        return self._widening(self._own, table, earlier)

    def adopted(self, table: tuple[str, str], kept: Sequence[Any]) -> list[Any]:
        """A table's audiences with the one in force; earlier ones stay while this site owes anything by them."""
        now = self.now(table)
        known = list(kept) if list(kept[-1:]) == [now] else [*kept, now]
        return known if self.widening(table, known[:-1]).owing else [now]

    def owed(self, table: tuple[str, str], earlier: Sequence[Any]) -> list[str]:
        """The sites to which anybody owes something where these audiences were in force before."""
        found = {site for own in self._sees for site in self._widening(own, table, earlier).owing}
        return [site for site in self._sees if site in found]

    def _of(self, table: tuple[str, str]) -> Audience:
        return {site: view.of(table) for site, view in self._sees.items()}

    def _widening(self, own: str, table: tuple[str, str], earlier: Sequence[Any]) -> Widening:
        return Widening(own, list(self._sees), [widening.from_data(one) for one in earlier], self._of(table))


def _split(name: str) -> tuple[str, str]:
    schema, _, table = name.partition(".")
    return schema, table


def _table_view(rules: TableRules, site: str) -> TableView:
    cells: dict[str, tuple[Reach, Mask]] = {}
    for name, rule in rules.columns.items():
        reach = _reach(rule.share, site)
        if reach != ALWAYS and rule.mask is not None:
            cells[name] = reach, Mask(rule.mask.kind, rule.mask.kept)
    return TableView(_reach(rules.share, site), cells)


def _reach(share: Share | None, site: str) -> Reach:
    if share is None:
        return ALWAYS
    if share.column is None:
        return ALWAYS if share.reaches(site, None) else NEVER
    refused = frozenset(value.encode() for value in share.by_value if not share.reaches(site, value))
    return Reach(column=share.column, refused=refused) if refused else ALWAYS


def deciding(rules: TableRules) -> tuple[str, ...]:
    """The columns of a table by which the rules say who receives what."""
    shares: Mapping[str | None, Share | None] = {None: rules.share, **{n: r.share for n, r in rules.columns.items()}}
    return tuple(sorted({share.column for share in shares.values() if share is not None and share.column is not None}))
